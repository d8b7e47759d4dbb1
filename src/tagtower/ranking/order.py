"""The orders in which tags are shown: by the towers' distance, or by the learned ranker over all evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64

from tagtower.index.wordings import Distances
from tagtower.ranking.calibration import Calibration
from tagtower.ranking.features import BLOCK_ELEMENTS, Candidates, CandidateSource
from tagtower.ranking.learned import LearnedRanker
from tagtower.ranking.neighbours import LabelledVideos
from tagtower.records import Evidence, MentionEvidence, NeighbourEvidence, TextField

NEIGHBOURS_SHOWN = 5


@runtime_checkable
class EvidenceSource(Protocol):
    """Says what spoke for a tag, beside the towers."""

    def __call__(self, video: int, tag: int) -> Evidence:
        """The evidence for a tag of the library, given a video of the block."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Ordered:
    """The whole library in the order of each video of a block.

    `places` holds each tag's place in that order, from 0; `distances` are the towers'. `scores` are what the order
    follows, higher first, and -inf for a tag that was no candidate; `probabilities` come from a calibration, if any.
    """

    places: Int64[np.ndarray, "video tag"]
    distances: Float32[np.ndarray, "video tag"]
    scores: Float32[np.ndarray, "video tag"]
    probabilities: Float32[np.ndarray, "video tag"] | None
    evidence: EvidenceSource


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
        self, vectors: Float[np.ndarray, "video dim"], texts: Sequence[Mapping[TextField, str]]
    ) -> Iterator[Ordered]:
        """The orders of videos with these vectors and texts, in blocks that fit into memory."""
        ...


@final
@dataclass(frozen=True, slots=True)
class ByDistance:
    """The towers' own order: nearest first, ties by library order. The score is the distance, negated."""

    index: Distances
    new: Bool[np.ndarray, "tag"]
    calibration: Calibration | None = None

    def __call__(
        self, vectors: Float[np.ndarray, "video dim"], texts: Sequence[Mapping[TextField, str]]
    ) -> Iterator[Ordered]:
        """Yield the orders of videos; texts play no part."""
        step = max(1, BLOCK_ELEMENTS // max(1, len(self.new)))
        for start in range(0, len(vectors), step):
            distances = self.index.distances(vectors[start : start + step])
            scores = -distances
            yield Ordered(
                _places(scores, distances),
                distances,
                scores,
                _probabilities(scores, self.new, self.calibration),
                _no_evidence,
            )


@final
@dataclass(frozen=True, slots=True)
class ByRanker:
    """The learned order: candidates by their score, then the rest of the library by distance."""

    source: CandidateSource
    ranker: LearnedRanker
    neighbours: LabelledVideos
    calibration: Calibration | None = None

    @property
    def new(self) -> Bool[np.ndarray, "tag"]:
        """Which tags no labelled video has."""
        return self.source.new

    def __call__(
        self, vectors: Float[np.ndarray, "video dim"], texts: Sequence[Mapping[TextField, str]]
    ) -> Iterator[Ordered]:
        """Yield the orders of videos."""
        for _, found in self.source.blocks(vectors, texts):
            scores = np.full(found.distances.shape, -np.inf, np.float32)
            scores[found.videos, found.tags] = self.ranker(found.values)
            yield Ordered(
                _places(scores, found.distances),
                found.distances,
                scores,
                _probabilities(scores, found.new, self.calibration),
                RankerEvidence(self.source, found, np.isfinite(scores), self.neighbours.ids),
            )


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


def _places(
    scores: Float32[np.ndarray, "video tag"], distances: Float32[np.ndarray, "video tag"]
) -> Int64[np.ndarray, "video tag"]:
    order = np.lexsort((distances, -scores), axis=1)  # stable: ties stay in library order
    places = np.empty_like(order)
    np.put_along_axis(places, order, np.arange(scores.shape[1])[None], axis=1)
    return np.asarray(places, np.int64)


def _probabilities(
    scores: Float32[np.ndarray, "video tag"], new: Bool[np.ndarray, "tag"], calibration: Calibration | None
) -> Float32[np.ndarray, "video tag"] | None:
    if calibration is None:
        return None
    return calibration(scores, np.broadcast_to(new, scores.shape)).astype(np.float32)
