"""The orders in which tags are shown: by the towers' distance, or by the learned ranker over all evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64

from tagtower.index.wordings import Distances
from tagtower.ranking.calibration import Calibration
from tagtower.ranking.features import BLOCK_ELEMENTS, Candidates, CandidateSource
from tagtower.ranking.learned import LearnedRanker
from tagtower.records import Evidence, MentionEvidence, NeighbourEvidence, TextField

NEIGHBOURS_SHOWN = 5


@runtime_checkable
class EvidenceSource(Protocol):
    """Says what spoke for a tag, beside the towers."""

    def __call__(self, video: int, tag: int) -> Evidence:
        """The evidence for a tag of the library, given a video of the block."""
        ...


@final
@dataclass(frozen=True, eq=False)
class Ordered:
    """The library in the order of each video of a block.

    `scores` are what the order follows, higher first, and -inf for a tag that was no candidate, whose distance then
    counts; `distances` are the towers'. `new` tells the tags that the order knows from no labelled video. What covers
    the whole library is computed when it is asked for: a video shows a few tags out of perhaps a hundred thousand.
    """

    distances: Float32[np.ndarray, "video tag"]
    scores: Float32[np.ndarray, "video tag"]
    new: Bool[np.ndarray, "tag"]
    calibration: Calibration | None
    evidence: EvidenceSource

    @cached_property
    def places(self) -> Int64[np.ndarray, "video tag"]:
        """Each tag's place in the order, from 0."""
        order = np.lexsort((self.distances, -self.scores), axis=1)  # stable: ties stay in library order
        places = np.empty_like(order)
        np.put_along_axis(places, order, np.arange(self.scores.shape[1])[None], axis=1)
        return np.asarray(places, np.int64)

    @cached_property
    def probabilities(self) -> Float32[np.ndarray, "video tag"] | None:
        """The calibrated probability of each tag, in [0, 1]; None without a calibration."""
        if self.calibration is None:
            return None
        return self.calibration(self.scores, np.broadcast_to(self.new, self.scores.shape)).astype(np.float32)

    def probabilities_of(
        self, video: int, tags: Int64[np.ndarray, "some"]
    ) -> Float32[np.ndarray, "some"] | None:
        """Return the calibrated probabilities of some tags, given a video of the block."""
        if self.calibration is None:
            return None
        return self.calibration(self.scores[video, tags], self.new[tags]).astype(np.float32)

    def first(
        self, video: int, count: int | None = None, kept: Bool[np.ndarray, "tag"] | None = None
    ) -> Int64[np.ndarray, "some"]:
        """Return the first tags of a video in its order, all of them without a `count`.

        Args:
            kept: the tags that may be among them.
        """
        scores, distances = self.scores[video], self.distances[video]
        tags = np.arange(len(scores)) if kept is None else np.flatnonzero(kept)
        if count is not None and count < len(tags):
            tags = _not_after(tags, -scores[tags], count)
            if len(tags) > count and np.isneginf(scores[tags]).any():
                tags = _not_after(tags, np.where(np.isneginf(scores[tags]), distances[tags], -np.inf), count)
        order = np.lexsort((distances[tags], -scores[tags]))
        return np.asarray(tags[order][:count], np.int64)


@runtime_checkable
class TagOrder(Protocol):
    """Orders the tags of one library for videos."""

    @property
    def new(self) -> Bool[np.ndarray, "tag"]:
        """Which tags the order knows from no labelled video."""
        ...

    @property
    def calibration(self) -> Calibration | None:
        """What turns scores into probabilities."""
        ...

    def __call__(
        self,
        vectors: Float[np.ndarray, "video dim"],
        texts: Sequence[Mapping[TextField, str]],
        ids: Sequence[str] | None = None,
    ) -> Iterator[Ordered]:
        """The orders of videos with these vectors and texts, in blocks that fit into memory.

        `ids` name them, so that a labelled video is not its own neighbour.
        """
        ...


@final
@dataclass(frozen=True, slots=True)
class ByDistance:
    """The towers' own order: nearest first, ties by library order. The score is the distance, negated."""

    index: Distances
    new: Bool[np.ndarray, "tag"]
    calibration: Calibration | None = None

    def __call__(
        self,
        vectors: Float[np.ndarray, "video dim"],
        texts: Sequence[Mapping[TextField, str]],
        ids: Sequence[str] | None = None,
    ) -> Iterator[Ordered]:
        """Yield the orders of videos; texts and ids play no part."""
        step = max(1, BLOCK_ELEMENTS // max(1, len(self.new)))
        for start in range(0, len(vectors), step):
            distances = self.index.distances(vectors[start : start + step])
            yield Ordered(distances, -distances, self.new, self.calibration, _no_evidence)


@final
@dataclass(frozen=True, slots=True)
class ByRanker:
    """The learned order: candidates by their score, then the rest of the library by distance."""

    source: CandidateSource
    ranker: LearnedRanker
    calibration: Calibration | None = None

    @property
    def new(self) -> Bool[np.ndarray, "tag"]:
        """Which tags no labelled video has."""
        return self.source.new

    def __call__(
        self,
        vectors: Float[np.ndarray, "video dim"],
        texts: Sequence[Mapping[TextField, str]],
        ids: Sequence[str] | None = None,
    ) -> Iterator[Ordered]:
        """Yield the orders of videos; one that is among the labelled videos is not its own neighbour."""
        own = None if ids is None else self.source.side.rows_of(ids)
        for _, found in self.source.blocks(vectors, texts, own):
            scores = np.full(found.distances.shape, -np.inf, np.float32)
            scores[found.videos, found.tags] = self.ranker(found.values)
            evidence = RankerEvidence(
                self.source, found, np.isfinite(scores), self.source.side.neighbours.ids
            )
            yield Ordered(found.distances, scores, found.new, self.calibration, evidence)


@final
@dataclass(frozen=True, slots=True)
class RankerEvidence:
    """The similar labelled videos that have a tag, and where the tag is mentioned."""

    source: CandidateSource
    candidates: Candidates
    scored: Bool[np.ndarray, "video tag"]
    ids: Sequence[str]

    def __call__(self, video: int, tag: int) -> Evidence:
        """Return the evidence for a tag of the library, given a video of the block; none for no candidate."""
        if not self.scored[video, tag]:
            return Evidence()
        rows = self.candidates.neighbour_rows[video]
        weights = self.candidates.neighbour_weights[video]
        bearers = np.flatnonzero(np.isin(rows, self.source.videos_with(tag)))[:NEIGHBOURS_SHOWN]
        return Evidence(
            tuple(NeighbourEvidence(self.ids[rows[one]], float(weights[one])) for one in bearers),
            tuple(
                MentionEvidence(one.text, one.field)
                for one in self.candidates.mentions[video]
                if one.tag == tag
            ),
        )


def _no_evidence(video: int, tag: int) -> Evidence:
    return Evidence()


def _not_after(
    tags: Int64[np.ndarray, "tag"], keys: Float[np.ndarray, "tag"], count: int
) -> Int64[np.ndarray, "some"]:
    """The tags that are not after the first `count` by their keys, the smallest first, and those that tie with them."""
    return np.asarray(tags[keys <= np.partition(keys, count - 1)[count - 1]], np.int64)
