"""Which tags a video gets: from its distances to the ranked list that is shown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from tagtower.errors import UsageError
from tagtower.index.exact import nearest
from tagtower.records import RankedTag


def rank_tags(
    distances: Float[np.ndarray, "tag"],
    texts: Sequence[str],
    *,
    top_k: int | None = None,
    max_distance: float | None = None,
) -> list[RankedTag]:
    """Return the tags of one video, nearest first, ties by library order.

    `top_k` keeps that many at most, `max_distance` those at most that far; both limits may be given, and
    without either the whole sequence comes back. `texts` are the tags of the library, in its order.

    Raises:
        UsageError: `top_k` is below 1, or `max_distance` is negative or not a number.
    """
    if top_k is not None and top_k < 1:
        raise UsageError(f"top_k is {top_k}.", hint="Ask for at least one tag.")
    if max_distance is not None and not max_distance >= 0:
        raise UsageError(f"max_distance is {max_distance}.", hint="A distance is zero or more.")
    kept = len(texts) if max_distance is None else int(np.count_nonzero(distances <= max_distance))
    if top_k is not None:
        kept = min(kept, top_k)
    order = nearest(distances[None], kept)[0]
    return [RankedTag(texts[tag], rank, float(distances[tag])) for rank, tag in enumerate(order, start=1)]
