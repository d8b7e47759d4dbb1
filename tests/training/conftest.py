"""A small problem that can be learnt: what a video's vector says about its tags, seen through a random rotation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch

from tagtower.config import Settings, settings_from
from tagtower.features.text import train_wordpiece
from tagtower.library.tags import TagLibrary
from tagtower.records import Tag
from tagtower.towers import TwoTower, VideoFeatures
from tagtower.towers.backbones import scratch_text
from tagtower.towers.text import TextEncoder
from tagtower.training.dataset import MemoryExamples, TrainingData
from tagtower.training.history import FitResult
from tagtower.training.trainer import fit

WIDTH = 24
TAGS = 40


@dataclass(frozen=True)
class Problem:
    """Titles and tags behind a frozen encoder. A title's vector is the sum of its tags', rotated, with noise."""

    settings: Settings
    data: TrainingData
    library: TagLibrary
    tag_vectors: dict[str, np.ndarray]
    calls: list[int] = field(default_factory=list)

    def tower(self) -> TwoTower:
        """An untrained tower; every call gives the same weights."""
        return frozen_text_tower(self.settings)

    def tag_features(self, texts: Sequence[str]) -> list[np.ndarray]:
        """The vectors of tags as a frozen encoder would give them."""
        self.calls.append(len(texts))
        return [self.tag_vectors[text] for text in texts]

    def fit(self, tower: TwoTower | None = None, **options: Any) -> FitResult:
        """Train on the problem; options override what `fit` is given."""
        given = {
            "tower": tower or self.tower(),
            "data": self.data,
            "tag_source": lambda: self.library,
            "settings": self.settings,
            "tag_features": self.tag_features,
        }
        return fit(**{**given, **options})


def frozen_text_tower(settings: Settings) -> TwoTower:
    """A tower that reads title vectors alone, and stands on a frozen encoder that nobody calls."""
    with torch.random.fork_rng():
        torch.manual_seed(settings.train.seed)
        backbone = scratch_text(settings.text, train_wordpiece(["word"], 100), 8)
        title = TextEncoder(backbone, settings.text, pretrained=True, frozen=True)
        tag = TextEncoder(backbone, settings.tag, pretrained=True, frozen=True)
        return TwoTower(settings, image=None, audio=None, text=title, tag=tag)


def text_settings(**changes: dict[str, Any]) -> Settings:
    """Settings of a title-only tower that trains in a second; `changes` are laid over them by section."""
    base: dict[str, dict[str, Any]] = {
        "image": {"encoder": "none"},
        "audio": {"frontend": "none"},
        "text": {"width": WIDTH, "heads": 2, "layers": 1, "max_tokens": 8, "dropout": 0.0},
        "tag": {"max_tokens": 8, "hidden": 16},
        "fusion": {"hidden": 16},
        "loss": {"negatives": 30},
        "train": {"epochs": 6, "batch_size": 32, "learning_rate": 0.01, "patience": 6},
    }
    return settings_from(
        {section: {**base.get(section, {}), **changes.get(section, {})} for section in {**base, **changes}}
    )


def make_problem(
    *, videos: int = 320, wrong: float = 0.0, seed: int = 0, **changes: dict[str, Any]
) -> Problem:
    """The problem, with `changes` laid over the settings by section.

    Of the training tags a share `wrong` is replaced by any other tag; those of validation are all right.
    """
    draw = np.random.default_rng(seed)
    texts = [f"tag {place}" for place in range(TAGS)]
    meanings = draw.normal(size=(TAGS, WIDTH)).astype(np.float32)
    rotation = np.linalg.qr(draw.normal(size=(WIDTH, WIDTH)))[0].astype(np.float32)

    def examples(count: int, wrong: float) -> MemoryExamples:
        tags, features = [], []
        for _ in range(count):
            own = draw.choice(TAGS, size=draw.integers(1, 4), replace=False)
            noise = draw.normal(scale=0.3, size=WIDTH).astype(np.float32)
            features.append(VideoFeatures(text=meanings[own].sum(0) @ rotation + noise))
            others = draw.choice(np.setdiff1d(np.arange(TAGS), own), size=len(own), replace=False)
            written = np.where(draw.random(len(own)) < wrong, others, own)
            tags.append(tuple(texts[place] for place in written))
        return MemoryExamples(tags, features)

    return Problem(
        settings=text_settings(**changes),
        data=TrainingData(examples(videos, wrong), examples(80, 0.0)),
        library=TagLibrary.from_tags(Tag(text) for text in texts),
        tag_vectors=dict(zip(texts, meanings, strict=True)),
    )


@pytest.fixture
def problem() -> Callable[..., Problem]:
    """Makes the problem under given settings."""
    return make_problem
