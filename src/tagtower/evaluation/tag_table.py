"""How each tag fares: how often it was right, how often it was proposed, how near its own videos lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from tagtower.evaluation.metrics import relevant_ranks, row_blocks, video_scores
from tagtower.index.exact import nearest

CUT = 5


@dataclass(frozen=True, slots=True)
class TagTable:
    """One entry a tag, in library order; shares in [0, 1], NaN where a tag has nothing to be measured by.

    `support` counts the videos that have the tag, `proposed_at_5` those that rank it among their first five,
    `hits_at_5` those that do both. `average_precision` asks the other way round: it ranks all videos by their
    distance from the tag. `mean_rank` is the mean rank, from 1, that the tag has in the order of its videos.
    """

    support: Int[np.ndarray, "tag"]
    proposed_at_5: Int[np.ndarray, "tag"]
    hits_at_5: Int[np.ndarray, "tag"]
    recall_at_5: Float[np.ndarray, "tag"]
    precision_at_5: Float[np.ndarray, "tag"]
    average_precision: Float[np.ndarray, "tag"]
    mean_rank: Float[np.ndarray, "tag"]


def tag_table(distances: Float[np.ndarray, "video tag"], relevant: Bool[np.ndarray, "video tag"]) -> TagTable:
    """Return the scores of each tag. The matrices are read in blocks, so both may be memory-mapped.

    Raises:
        InputError: a distance is NaN.
    """
    videos, tags = distances.shape
    proposed = np.zeros(tags, dtype=np.int64)
    hits = np.zeros(tags, dtype=np.int64)
    rank_sum = np.zeros(tags)
    for rows in row_blocks(videos, tags):
        found = relevant_ranks(distances[rows], relevant[rows])
        first = nearest(distances[rows], min(CUT, tags))
        proposed += np.bincount(first.ravel(), minlength=tags)
        hits += np.bincount(found.tags[found.ranks <= CUT], minlength=tags)
        rank_sum += np.bincount(found.tags, weights=found.ranks, minlength=tags)
    support = relevant.sum(axis=0, dtype=np.int64)
    precisions = [
        video_scores(distances[:, columns].T, relevant[:, columns].T).map
        for columns in row_blocks(tags, videos)
    ]
    return TagTable(
        support=support,
        proposed_at_5=proposed,
        hits_at_5=hits,
        recall_at_5=_share(hits, support),
        precision_at_5=_share(hits, proposed),
        average_precision=np.concatenate([np.empty(0), *precisions]),
        mean_rank=_share(rank_sum, support),
    )


def _share(part: np.ndarray, whole: Int[np.ndarray, "tag"]) -> Float[np.ndarray, "tag"]:
    shares = np.full(len(whole), np.nan)
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares
