"""Which videos are ranked beside which labelled ones, so that no video is its own neighbour."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tagtower.storage.hashing import hash_text

FOLDS = 5
"""Videos that are neighbours themselves are ranked in so many parts, each beside the labelled videos of the others."""


@dataclass(frozen=True, slots=True)
class Fold:
    """Rows that are ranked together, and the ids of the labelled videos that are left out meanwhile."""

    rows: tuple[int, ...]
    without: frozenset[str] = frozenset()


def neighbour_folds(ids: Sequence[str], neighbours: Collection[str]) -> tuple[Fold, ...]:
    """Return parts of the videos with these `ids`, each row in one, where none of a part is left among `neighbours`.

    There is but one part where no video is a neighbour. Else nearly all of the others stay beside each part: nothing
    that a ranker counts over labelled videos then counts the video that it ranks.
    """
    known = set(neighbours)
    own = [row for row, name in enumerate(ids) if name in known]
    if not own:
        return (Fold(tuple(range(len(ids)))),)
    others = [row for row, name in enumerate(ids) if name not in known]
    # Not by their order: a manifest that goes round its tags would leave none of a kind beside the others.
    shuffled = sorted(own, key=lambda row: hash_text(ids[row]))
    parts = [shuffled[start::FOLDS] for start in range(min(FOLDS, len(own)))]
    parts[0] += others
    return tuple(Fold(tuple(sorted(part)), frozenset(ids[row] for row in part) & known) for part in parts)
