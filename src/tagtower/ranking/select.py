"""Which tags a video gets: from an order of the library to the ranked list that is shown."""

from __future__ import annotations

from collections.abc import Sequence

from tagtower.errors import UsageError
from tagtower.ranking.order import Ordered
from tagtower.records import RankedTag


def rank_tags(
    ordered: Ordered,
    video: int,
    texts: Sequence[str],
    *,
    top_k: int | None = None,
    max_distance: float | None = None,
    min_score: float | None = None,
) -> list[RankedTag]:
    """Return the tags of one video of a block, in its order, with what speaks for each.

    `top_k` keeps that many at most, `max_distance` those at most that far, `min_score` those at least that
    probable; all limits may be given, and without any the whole sequence comes back. `texts` are the tags of the
    library, in its order. Ranks count the tags that are kept.

    Raises:
        UsageError: `top_k` is below 1, `max_distance` is negative or not a number, or `min_score` is given and
            there are no probabilities.
    """
    if top_k is not None and top_k < 1:
        raise UsageError(f"top_k is {top_k}.", hint="Ask for at least one tag.")
    if max_distance is not None and not max_distance >= 0:
        raise UsageError(f"max_distance is {max_distance}.", hint="A distance is zero or more.")
    distances = ordered.distances[video]
    kept = None
    if max_distance is not None:
        kept = distances <= max_distance
    if min_score is not None:
        if ordered.probabilities is None:
            raise UsageError(
                "This model has no calibration, so there are no probabilities.",
                hint="Train with more validation videos, or limit by --max-distance.",
            )
        probable = ordered.probabilities[video] >= min_score
        kept = probable if kept is None else kept & probable
    chosen = ordered.first(video, top_k, kept)
    scores = ordered.probabilities_of(video, chosen)
    return [
        RankedTag(
            texts[tag],
            rank,
            float(distances[tag]),
            None if scores is None else float(scores[rank - 1]),
            ordered.evidence(video, int(tag)),
        )
        for rank, tag in enumerate(chosen, start=1)
    ]
