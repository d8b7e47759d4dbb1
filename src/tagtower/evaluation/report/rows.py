"""From arrays to the rows of the report: which videos are shown, with which tags, and the table of tags."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from tagtower.evaluation.metrics import VideoScores, relevant_ranks
from tagtower.evaluation.report.data import MissedTag, ProposedTag, TagRow, VideoCard
from tagtower.evaluation.tag_table import TagTable
from tagtower.index.exact import nearest
from tagtower.records import Evidence, Video

PROPOSALS = 5
"""So many tags are shown of a video."""


def best_and_worst(
    scores: VideoScores, count: int
) -> tuple[Int[np.ndarray, "best"], Int[np.ndarray, "worst"]]:
    """Return the rows of the `count` videos with the highest and the lowest nDCG@10, each from the extreme on.

    No video is in both, and none without a relevant tag is in either. Equal videos come in their own order.
    """
    scored = np.flatnonzero(~np.isnan(scores.ndcg_at_10))
    rising = scored[np.argsort(scores.ndcg_at_10[scored], kind="stable")]
    falling = scored[np.argsort(-scores.ndcg_at_10[scored], kind="stable")]
    best = falling[: min(count, (len(scored) + 1) // 2)]
    worst = rising[~np.isin(rising, best)][:count]
    return best, worst


def first_tags(places: Float[np.ndarray, "tag"]) -> list[int]:
    """Return the tags that are proposed: those with the smallest places, ties by library order."""
    return [int(tag) for tag in nearest(places[None], min(PROPOSALS, len(places)))[0]]


def video_card(
    video: Video,
    places: Float[np.ndarray, "tag"],
    distances: Float[np.ndarray, "tag"],
    relevant: Bool[np.ndarray, "tag"],
    seen: Bool[np.ndarray, "tag"],
    texts: Sequence[str],
    ndcg: float,
    thumbnail: bytes | None,
    evidence: Sequence[Evidence] = (),
) -> VideoCard:
    """Return the card of one video: its first tags, and the true ones behind them.

    Args:
        evidence: what spoke for each of the `first_tags`.
    """
    first = first_tags(places)
    found = relevant_ranks(places[None], relevant[None])
    behind = found.ranks > PROPOSALS
    spoke = evidence or [Evidence()] * len(first)
    return VideoCard(
        id=video.id,
        title=video.title,
        ndcg=ndcg,
        thumbnail=thumbnail,
        proposed=tuple(
            ProposedTag(texts[tag], float(distances[tag]), bool(relevant[tag]), bool(seen[tag]), one)
            for tag, one in zip(first, spoke, strict=True)
        ),
        missed=tuple(
            MissedTag(texts[tag], int(rank), bool(seen[tag]))
            for tag, rank in zip(found.tags[behind], found.ranks[behind], strict=True)
        ),
    )


def tag_rows(table: TagTable, seen: Bool[np.ndarray, "tag"], texts: Sequence[str]) -> tuple[TagRow, ...]:
    """Return a row for every tag that some video has or is given, the most frequent first."""
    occurring = np.flatnonzero((table.support > 0) | (table.proposed_at_5 > 0))
    order = occurring[np.argsort(-table.support[occurring], kind="stable")]
    return tuple(
        TagRow(
            tag=texts[tag],
            seen=bool(seen[tag]),
            support=int(table.support[tag]),
            proposed=int(table.proposed_at_5[tag]),
            hits=int(table.hits_at_5[tag]),
            recall=_number(table.recall_at_5[tag]),
            precision=_number(table.precision_at_5[tag]),
            average_precision=_number(table.average_precision[tag]),
            mean_rank=_number(table.mean_rank[tag]),
        )
        for tag in order
    )


def _number(value: np.floating) -> float | None:
    return None if np.isnan(value) else float(value)
