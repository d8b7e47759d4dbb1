"""Which training examples the ranker learns from: the latest ones, or whole groups where times are not known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from jaxtyping import Int64

from tagtower.errors import TrainingError
from tagtower.records import Example, Problems
from tagtower.training.splits import assign_splits

ROLLS = 4
"""The held-out time is cut into so many parts, each of which has all that lies before it as neighbours."""


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Places of examples: those that towers learn from, and the parts held out, in the order of their time.

    Without times there is one part. Neighbours of a part are the `earlier` ones and the parts before it.
    """

    earlier: Int64[np.ndarray, "video"]
    parts: tuple[Int64[np.ndarray, "..."], ...]


def held_out(examples: Sequence[Example], share: float, seed: int) -> HeldOut:
    """Return the examples with about `share` of them held out: the latest, or groups chosen by a hash of `seed`.

    Raises:
        TrainingError: there are too few examples to hold any out.
    """
    times = [one.published for one in examples]
    if len(examples) < 2:
        raise TrainingError(
            "The ranker needs examples that the towers do not know, and there is only one.",
            hint="Train with --set ranking.kind=tower.",
        )
    if all(time is not None for time in times):
        order = np.argsort([_seconds(time) for time in times if time is not None], kind="stable")
        first = min(max(1, round(len(order) * (1 - share))), len(order) - 1)
        parts = [part for part in np.array_split(order[first:], ROLLS) if len(part)]
        return HeldOut(order[:first].astype(np.int64), tuple(part.astype(np.int64) for part in parts))
    unsplit = [replace(one, split=None) for one in examples]
    carved = assign_splits(unsplit, share, seed, Problems())
    late = np.array([one.split == "val" for one in carved], bool)
    return HeldOut(np.flatnonzero(~late), (np.flatnonzero(late),))


def _seconds(time: datetime) -> float:
    """A time without a zone is read as UTC."""
    return (time.replace(tzinfo=UTC) if time.tzinfo is None else time).timestamp()
