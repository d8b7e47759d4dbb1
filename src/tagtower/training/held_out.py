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

LEFT = 0.5
"""Towers that learn from less than this share of the examples are too unlike those that the ranker will serve with."""


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Places of examples: those that towers learn from, and the parts held out, in the order of their time.

    Without times there is one part. Neighbours of a part are the `earlier` ones and the parts before it.
    """

    earlier: Int64[np.ndarray, "video"]
    parts: tuple[Int64[np.ndarray, "..."], ...]


def held_out(examples: Sequence[Example], share: float, rounds: int, seed: int) -> tuple[HeldOut, ...]:
    """Return, for each round, the examples with about `share` of all held out, which no other round holds out.

    With times the last round holds out the latest, the one before it those before them, and so on, and the later
    ones are left out altogether. Else groups are held out, chosen by a hash of `seed`. There are fewer rounds where
    the first one would leave less than half of the examples.

    Raises:
        TrainingError: there are too few examples to hold any out.
    """
    if len(examples) < 2:
        raise TrainingError(
            "The ranker needs examples that the towers do not know, and there is only one.",
            hint="Train with --set ranking.kind=tower.",
        )
    rounds = max(1, min(rounds, int((1 - LEFT) / share + 1e-9)))
    times = [one.published for one in examples]
    if all(time is not None for time in times):
        order = np.argsort([_seconds(time) for time in times if time is not None], kind="stable")
        return _by_time(order.astype(np.int64), share, rounds)
    return _by_group(examples, share, rounds, seed)


def _by_time(order: Int64[np.ndarray, "video"], share: float, rounds: int) -> tuple[HeldOut, ...]:
    count, end, found = len(order), len(order), []
    for number in range(1, rounds + 1):
        start = min(max(1, round(count * (1 - number * share))), count - 1)
        parts = [part for part in np.array_split(order[start:end], ROLLS) if len(part)]
        if parts:
            found.append(HeldOut(order[:start], tuple(parts)))
        end = start
    return tuple(reversed(found))


def _by_group(examples: Sequence[Example], share: float, rounds: int, seed: int) -> tuple[HeldOut, ...]:
    left, found = np.arange(len(examples)), []
    for number in range(rounds):
        unsplit = [replace(examples[row], split=None) for row in left.tolist()]
        carved = assign_splits(unsplit, share / (1 - number * share), seed, Problems())
        late = np.array([one.split == "val" for one in carved], bool)
        if late.any() and not late.all():
            found.append(HeldOut(np.setdiff1d(np.arange(len(examples)), left[late]), (left[late],)))
            left = left[~late]
    return tuple(reversed(found))


def _seconds(time: datetime) -> float:
    """A time without a zone is read as UTC."""
    return (time.replace(tzinfo=UTC) if time.tzinfo is None else time).timestamp()
