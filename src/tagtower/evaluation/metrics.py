"""How well a ranking of tags fits the tags that a video has: recall, precision, MAP, nDCG and MRR.

Knows distances and relevance as arrays; knows neither models nor files. Every metric here follows from the
ranks of the relevant tags alone, so a row is never sorted: a rank is one plus the number of tags before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Int

from tagtower.errors import InputError

BLOCK_ELEMENTS = 1 << 20
"""Distances looked at in one vectorised step; 4 MiB of float32, which stays inside a processor's cache."""

NDCG_CUT = 10
PRECISION_CUT = 5


@dataclass(frozen=True, slots=True)
class Metrics:
    """Means over the videos that have a relevant tag; each in [0, 1], or None where there is no such video."""

    videos: int
    recall_at_1: float | None
    recall_at_5: float | None
    recall_at_10: float | None
    precision_at_5: float | None
    map: float | None
    ndcg_at_10: float | None
    mrr: float | None

    def to_json(self) -> dict[str, int | float | None]:
        """Return the metrics under the names of `evaluate --json`: "videos", "recall@1", ..., "mrr"."""
        return {item.name.replace("_at_", "@"): getattr(self, item.name) for item in fields(self)}


@dataclass(frozen=True, slots=True)
class VideoScores:
    """The metrics of each video, in [0, 1], and NaN for a video without a relevant tag."""

    recall_at_1: Float[np.ndarray, "video"]
    recall_at_5: Float[np.ndarray, "video"]
    recall_at_10: Float[np.ndarray, "video"]
    precision_at_5: Float[np.ndarray, "video"]
    map: Float[np.ndarray, "video"]
    ndcg_at_10: Float[np.ndarray, "video"]
    mrr: Float[np.ndarray, "video"]

    @staticmethod
    def concatenate(blocks: Iterable[VideoScores]) -> VideoScores:
        """Return the scores of all blocks, in their order."""
        rows = list(blocks)
        empty = np.empty(0)
        return VideoScores(
            **{
                item.name: np.concatenate([empty, *(getattr(block, item.name) for block in rows)])
                for item in fields(VideoScores)
            }
        )

    def mean(self) -> Metrics:
        """Return the macro average over the videos that have a relevant tag."""
        scored = ~np.isnan(self.ndcg_at_10)
        videos = int(scored.sum())
        means = {
            item.name: float(getattr(self, item.name)[scored].mean()) if videos else None
            for item in fields(self)
        }
        return Metrics(videos=videos, **means)


@dataclass(frozen=True, slots=True)
class RelevantRanks:
    """Every (video, relevant tag) pair, by video and then by rank, with the tag's rank in that video's order."""

    videos: Int[np.ndarray, "pair"]
    tags: Int[np.ndarray, "pair"]
    ranks: Int[np.ndarray, "pair"]


def relevant_ranks(
    distances: Float[np.ndarray, "video tag"], relevant: Bool[np.ndarray, "video tag"]
) -> RelevantRanks:
    """Return the rank, from 1, of each relevant tag among all tags of its row, nearest first.

    Of two tags at one distance, the one that comes first in the library ranks first.

    Raises:
        InputError: a distance is NaN, which would otherwise pass for the nearest of all.
    """
    if np.isnan(distances).any():
        raise InputError(
            "Some distances are not a number.",
            hint="The vectors of the model are not finite: was it trained with a learning rate that diverged?",
        )
    videos, tags = np.nonzero(relevant)
    ranks = np.empty(len(videos), dtype=np.int64)
    order = np.arange(distances.shape[1])
    step = max(1, BLOCK_ELEMENTS // max(1, distances.shape[1]))
    for start in range(0, len(videos), step):
        pairs = slice(start, start + step)
        rows = distances[videos[pairs]]
        own = distances[videos[pairs], tags[pairs], None]
        before = (rows < own) | ((rows == own) & (order < tags[pairs, None]))
        ranks[pairs] = 1 + np.count_nonzero(before, axis=1)
    by_rank = np.lexsort((ranks, videos))
    return RelevantRanks(videos[by_rank], tags[by_rank], ranks[by_rank])


def video_scores(
    distances: Float[np.ndarray, "video tag"], relevant: Bool[np.ndarray, "video tag"]
) -> VideoScores:
    """Return the metrics of each video.

    recall@k is hits among the first k over all relevant tags; precision@5 is hits over 5, also in a library
    of fewer; MAP runs over the full order and divides by all relevant tags; nDCG@10 has binary gain, a log2
    discount and an ideal that is cut at 10 as well.

    Raises:
        InputError: a distance is NaN.
    Source:
        Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques" (2002), section 2, for nDCG.
    """
    found = relevant_ranks(distances, relevant)
    count = relevant.sum(axis=1)
    scored = count > 0
    first = np.cumsum(count) - count

    def per_video(values: np.ndarray) -> np.ndarray:
        return np.bincount(found.videos, weights=values, minlength=len(count))

    def over(total: np.ndarray, base: np.ndarray) -> np.ndarray:
        shares = np.full(len(count), np.nan)
        np.divide(total, base, out=shares, where=scored)
        return shares

    hits = {cut: per_video(found.ranks <= cut) for cut in (1, 5, 10)}
    place = 1 + np.arange(len(found.ranks)) - first[found.videos]
    gain = np.where(found.ranks <= NDCG_CUT, 1 / np.log2(1 + found.ranks), 0.0)
    ideal = np.concatenate([[0.0], np.cumsum(1 / np.log2(1 + np.arange(1, NDCG_CUT + 1)))])
    return VideoScores(
        recall_at_1=over(hits[1], count),
        recall_at_5=over(hits[5], count),
        recall_at_10=over(hits[10], count),
        precision_at_5=over(hits[5], np.full(len(count), PRECISION_CUT)),
        map=over(per_video(place / found.ranks), count),
        ndcg_at_10=over(per_video(gain), ideal[np.minimum(count, NDCG_CUT)]),
        mrr=over(per_video(np.where(place == 1, 1 / found.ranks, 0.0)), np.ones(len(count))),
    )


def ranking_metrics(
    distances: Float[np.ndarray, "video tag"], relevant: Bool[np.ndarray, "video tag"]
) -> Metrics:
    """Return the metrics of a whole matrix of distances, in blocks of rows.

    Raises:
        InputError: a distance is NaN.
    """
    blocks = row_blocks(*distances.shape)
    return VideoScores.concatenate(video_scores(distances[rows], relevant[rows]) for rows in blocks).mean()


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """Metrics over all tags and, apart, over tags that did and did not occur in training.

    `seen` and `unseen` restrict both the relevant tags and the candidates; `unseen_in_full` restricts the
    relevant tags alone, so that new tags have to assert themselves against the whole library.
    """

    all: Metrics
    seen: Metrics
    unseen: Metrics
    unseen_in_full: Metrics

    def to_json(self) -> dict[str, dict[str, int | float | None]]:
        """Return the four groups under the names of `evaluate --json`."""
        return {item.name: getattr(self, item.name).to_json() for item in fields(self)}


class SeenUnseenEvaluation:
    """Gathers the metrics of videos that come in blocks, so that the whole matrix never has to exist.

    It keeps seven numbers a video and group: 22 MB for 100,000 videos.
    """

    def __init__(self, seen: Bool[np.ndarray, "tag"]) -> None:
        self._seen = seen
        self._groups: dict[str, list[VideoScores]] = {item.name: [] for item in fields(EvaluationResult)}

    def add(self, distances: Float[np.ndarray, "video tag"], relevant: Bool[np.ndarray, "video tag"]) -> None:
        """Take in the next videos; a large block is worked through in parts.

        Raises:
            InputError: a distance is NaN.
        """
        seen, unseen = np.flatnonzero(self._seen), np.flatnonzero(~self._seen)
        for rows in row_blocks(*distances.shape):
            near, own = distances[rows], relevant[rows]
            self._groups["all"].append(video_scores(near, own))
            self._groups["seen"].append(video_scores(near[:, seen], own[:, seen]))
            self._groups["unseen"].append(video_scores(near[:, unseen], own[:, unseen]))
            self._groups["unseen_in_full"].append(video_scores(near, own & ~self._seen))

    def scores(self) -> VideoScores:
        """Return the scores of each video over all tags, in the order in which the videos came."""
        return VideoScores.concatenate(self._groups["all"])

    def result(self) -> EvaluationResult:
        """Return the metrics of all videos so far; a group without videos has 0 videos and no numbers."""
        return EvaluationResult(
            **{name: VideoScores.concatenate(blocks).mean() for name, blocks in self._groups.items()}
        )


def evaluate_seen_unseen(
    distances: Float[np.ndarray, "video tag"],
    relevant: Bool[np.ndarray, "video tag"],
    seen: Bool[np.ndarray, "tag"],
) -> EvaluationResult:
    """Return the metrics of a whole matrix, `seen` telling which tags occurred in training.

    Raises:
        InputError: a distance is NaN.
    """
    evaluation = SeenUnseenEvaluation(seen)
    evaluation.add(distances, relevant)
    return evaluation.result()


def row_blocks(videos: int, tags: int) -> Iterator[slice]:
    """Yield slices of rows that hold at most BLOCK_ELEMENTS distances each, and at least one row."""
    step = max(1, BLOCK_ELEMENTS // max(1, tags))
    for start in range(0, videos, step):
        yield slice(start, min(start + step, videos))
