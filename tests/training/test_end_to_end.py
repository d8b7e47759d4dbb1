"""Frames, sound and tokens through encoders from scratch: every one learns its own tags, and the gate is told of."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tagtower.config import settings_from
from tagtower.features.store import CENTRE
from tagtower.library.tags import TagLibrary
from tagtower.records import Tag
from tagtower.towers import VideoFeatures, build_two_tower
from tagtower.training.dataset import MemoryExamples, TrainingData
from tagtower.training.trainer import fit
from tagtower.training.weights import copy_weights

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (40, 40, 230)}
WORDS = ("news", "sport", "travel")
SOUNDS = ("low", "high", "noisy")
LIBRARY = TagLibrary.from_tags(Tag(text) for text in (*COLOURS, *WORDS, *SOUNDS))
SETTINGS = settings_from(
    {
        "image": {"depths": (1,), "widths": (8,), "resize": 16, "crop": 16, "frames": 2, "join": "attention"},
        "audio": {"coefficients": 8, "mels": 12, "channels": 8},
        "text": {"width": 16, "layers": 1, "heads": 2, "vocabulary": 150, "max_tokens": 8},
        "tag": {"max_tokens": 6, "hidden": 16},
        "fusion": {"hidden": 16},
        "loss": {"name": "softmax", "temperature": 0.1},
        "train": {"epochs": 8, "batch_size": 8, "learning_rate": 0.01, "patience": 8},
    }
)


def examples(tower, count: int, seed: int) -> MemoryExamples:
    draw = np.random.default_rng(seed)
    tags, features = [], []
    for _ in range(count):
        colour, word, sound = draw.integers(0, 3, 3)
        frames = np.array(list(COLOURS.values())[colour]) + draw.normal(0, 20, (2, 16, 16, 3))
        steps = draw.normal(0, 0.3, (12, 8)).astype(np.float32)
        steps[:, sound] += 3
        features.append(
            VideoFeatures(
                image=np.clip(frames, 0, 255).astype(np.uint8) if draw.random() < 0.9 else None,
                audio=steps if draw.random() < 0.9 else None,
                text=tower.title_features([f"{WORDS[word]} of the day"])[0],
            )
        )
        tags.append((list(COLOURS)[colour], WORDS[word], SOUNDS[sound]))
    return MemoryExamples(tags, features)


@pytest.fixture(scope="module")
def trained():
    tower = build_two_tower(SETTINGS, [f"{word} of the day" for word in WORDS], LIBRARY.texts)
    data = TrainingData(examples(tower, 64, 0), examples(tower, 24, 1))
    before = copy_weights(tower)
    return tower, before, fit(tower, data, lambda: LIBRARY, SETTINGS)


def test_it_learns(trained):
    _, _, result = trained
    assert result.best.metrics.ndcg_at_10 > result.history[0].metrics.ndcg_at_10 + 0.2


def test_every_part_moves(trained):
    tower, before, result = trained
    assert result.best.epoch > 0
    after = copy_weights(tower)
    for part in ("image", "audio", "text", "heads.image", "heads.audio", "heads.text", "tag_head", "fusion"):
        moved = [not torch.equal(before[name], after[name]) for name in after if name.startswith(part)]
        assert any(moved), part


def test_the_gate_is_reported(trained):
    _, _, result = trained
    for record in result.history:
        assert set(record.weights) == {"image", "audio", "text"}
        assert 0 <= record.gate_entropy <= 1 + 1e-6
    assert result.history[0].gate_entropy == pytest.approx(1.0), "the gate starts even"


def test_training_sees_random_frames_and_validation_the_centre():
    settings = SETTINGS.model_copy(update={"train": SETTINGS.train.model_copy(update={"epochs": 2})})
    tower = build_two_tower(settings, [], LIBRARY.texts)
    asked: dict[str, list[int]] = {"train": [], "val": []}

    class Watched:
        def __init__(self, name: str, seed: int) -> None:
            self.name, self.held = name, examples(tower, 24, seed)

        def __len__(self) -> int:
            return len(self.held)

        def tags(self, index: int) -> tuple[str, ...]:
            return self.held.tags(index)

        def rejected(self, index: int) -> tuple[str, ...]:
            return ()

        def title(self, index: int) -> str | None:
            return None

        def features(self, index: int, draw: int) -> VideoFeatures:
            asked[self.name].append(draw)
            return self.held.features(index, draw)

    fit(tower, TrainingData(Watched("train", 0), Watched("val", 1)), lambda: LIBRARY, settings)
    assert set(asked["val"]) == {CENTRE}
    assert set(asked["train"]) == set(range(settings.image.cache_draws))
    first, second = asked["train"][:24], asked["train"][24:]
    assert first != second


@pytest.mark.parametrize(
    ("kind", "targets", "expert_loss", "gain"),
    [
        ("concat", "same", 0.5, 0.2),
        ("add", "same", 0.5, 0.2),
        ("multiply", "same", 0.0, 0.1),
        ("moe", "own", 0.5, 0.2),
    ],
)
def test_every_fusion_learns(kind, targets, expert_loss, gain):
    fusion = {"kind": kind, "expert_targets": targets, "expert_loss": expert_loss}
    train = (
        {"epochs": 12, "patience": 12} if kind == "multiply" else {}
    )  # it starts from nothing it could use
    settings = SETTINGS.model_copy(
        update={
            "fusion": SETTINGS.fusion.model_copy(update=fusion),
            "train": SETTINGS.train.model_copy(update=train),
        }
    )
    tower = build_two_tower(settings, [f"{word} of the day" for word in WORDS], LIBRARY.texts)
    data = TrainingData(examples(tower, 64, 0), examples(tower, 24, 1))
    result = fit(tower, data, lambda: LIBRARY, settings)
    assert result.best.metrics.ndcg_at_10 > result.history[0].metrics.ndcg_at_10 + gain
