"""A training in a process of its own, that can be killed: `python resume_run.py FOLDER [KILL_AFTER_STEP]`.

Reads frames and token ids end to end, so that convolutions, batch statistics, dropout of every kind and the
random draws of frames all have to go on as they were. Writes the final weights to FOLDER/final.safetensors.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from tagtower.config import settings_from
from tagtower.library.tags import TagLibrary
from tagtower.records import Tag
from tagtower.towers import VideoFeatures, build_two_tower
from tagtower.training.dataset import TrainingData
from tagtower.training.events import CheckpointWritten, Event, StepDone
from tagtower.training.trainer import fit
from tagtower.training.weights import copy_weights

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (40, 40, 230), "white": (240, 240, 240)}
WORDS = ["news", "sport", "music", "travel"]
SETTINGS = settings_from(
    {
        "image": {"depths": (1,), "widths": (8,), "resize": 16, "crop": 16, "frames": 2, "join": "attention"},
        "audio": {"frontend": "none"},
        "text": {"width": 16, "layers": 1, "heads": 2, "vocabulary": 150, "max_tokens": 8},
        "tag": {"max_tokens": 6, "hidden": 8},
        "fusion": {"hidden": 8, "modality_dropout": 0.3},
        "negatives": {"refresh": 5},
        "train": {"epochs": 3, "batch_size": 8, "checkpoint_seconds": 0.001, "learning_rate": 0.003},
    }
)


class Clips:
    """Clips of one colour whose titles hold one word; another draw shows other noise."""

    def __init__(self, count: int, seed: int) -> None:
        draw = np.random.default_rng(seed)
        self.chosen = draw.integers(0, 4, (count, 2))
        self.titles = [f"the {WORDS[word]} of today" for _, word in self.chosen]
        self.tokens = tower.title_features(self.titles)

    def __len__(self) -> int:
        return len(self.chosen)

    def tags(self, index: int) -> tuple[str, ...]:
        colour, word = self.chosen[index]
        return list(COLOURS)[colour], WORDS[word]

    def rejected(self, index: int) -> tuple[str, ...]:
        return ()

    def title(self, index: int) -> str | None:
        return self.titles[index]

    def features(self, index: int, draw: int) -> VideoFeatures:
        noise = np.random.default_rng((index, draw + 1)).normal(0, 20, (2, 16, 16, 3))
        colour = list(COLOURS.values())[self.chosen[index][0]]
        frames = np.clip(noise + np.array(colour), 0, 255).astype(np.uint8)
        return VideoFeatures(image=frames, text=self.tokens[index])


torch.set_num_threads(1)
folder = Path(sys.argv[1])
kill_after = int(sys.argv[2]) if len(sys.argv) > 2 else None
library = TagLibrary.from_tags(Tag(text) for text in [*COLOURS, *WORDS, "spare"])
tower = build_two_tower(SETTINGS, [f"the {word} of today" for word in WORDS], library.texts)
step = 0


def listen(event: Event) -> None:
    """Die, as hard as can be, right after the step; a checkpoint of just then may or may not stand."""
    global step
    if isinstance(event, StepDone):
        step = event.step
        sys.stdout.write(f"{step}\n")
        sys.stdout.flush()
    if kill_after == step and isinstance(event, (StepDone if kill_after % 2 else CheckpointWritten)):
        os.kill(os.getpid(), signal.SIGKILL)


fit(
    tower,
    TrainingData(Clips(60, 0), Clips(16, 1)),
    lambda: library,
    SETTINGS,
    folder,
    on_event=listen,
    resume=True,
)
save_file(
    {name: value.contiguous() for name, value in copy_weights(tower).items()}, folder / "final.safetensors"
)
