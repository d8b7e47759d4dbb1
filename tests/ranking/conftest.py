"""A small world of labelled videos: three subjects, a vector for each, and titles that name it now and then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tagtower.config import RankingSettings
from tagtower.index.exact import ExactIndex
from tagtower.ranking.features import CandidateSource, NeighbourSide, TagSpace
from tagtower.ranking.neighbours import LabelledVideo, LabelledVideos, labelled_videos
from tagtower.records import Tag

LIBRARY = (
    Tag("football"),
    Tag("goal"),
    Tag("cooking", aliases=("recipes",)),
    Tag("soup"),
    Tag("chess"),
    Tag("total solar eclipse", aliases=("eclipse",)),
)
SUBJECTS = {"football": ("football", "goal"), "cooking": ("cooking", "soup"), "chess": ("chess",)}


def read_as_tags(texts: Sequence[str], width: int = 8) -> np.ndarray:
    """A vector for each text, by its words alone."""
    return np.array([sum(np.sin(np.arange(width) * len(word)) for word in text.split()) for text in texts])


@dataclass(frozen=True)
class World:
    """Labelled videos, the library with its vectors, and where the neighbours' tags stand in it."""

    labelled: list[LabelledVideo]
    neighbours: LabelledVideos
    columns: np.ndarray
    tag_vectors: np.ndarray
    directions: dict[str, np.ndarray]

    def source(self, **settings: object) -> CandidateSource:
        index = ExactIndex(self.tag_vectors, "cosine")
        return CandidateSource(
            NeighbourSide(self.neighbours),
            self.columns,
            LIBRARY,
            TagSpace(index, self.tag_vectors.__getitem__, read_as_tags),
            RankingSettings(**settings),
        )

    def near(self, subject: str, seed: int = 0, noise: float = 0.3) -> np.ndarray:
        rng = np.random.default_rng(seed)
        return (self.directions[subject] + noise * rng.normal(size=8)).astype(np.float32)


def columns(neighbours: LabelledVideos) -> np.ndarray:
    places = {tag.text: place for place, tag in enumerate(LIBRARY)}
    return np.array([places.get(text, -1) for text in neighbours.tag_texts], np.int64)


@pytest.fixture
def world() -> World:
    rng = np.random.default_rng(0)
    directions = {subject: np.eye(8)[row] for row, subject in enumerate(SUBJECTS)}
    labelled, vectors = [], []
    for number in range(30):
        subject = list(SUBJECTS)[number % 3]
        labelled.append(
            LabelledVideo(
                f"v{number}",
                (*SUBJECTS[subject], "outside the library"),
                f"{subject} clip number {number}" if number % 2 else f"clip {number} of the day",
                datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=number),
            )
        )
        vectors.append(directions[subject] + 0.3 * rng.normal(size=8))
    neighbours = labelled_videos(labelled, np.array(vectors, np.float32))
    tag_vectors = np.array(
        [directions[one] for one in ("football", "football", "cooking", "cooking", "chess")] + [np.eye(8)[5]]
    )
    return World(labelled, neighbours, columns(neighbours), tag_vectors.astype(np.float32), directions)
