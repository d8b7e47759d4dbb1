"""Which phrases of a feed burst: are in many more of its entries now than its own past lets one expect.

Counts in, scores out; knows no database.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

PRIOR_ENTRIES, PRIOR_TOTAL = 0.5, 50.0
"""What is believed of a phrase that was never seen: half an entry in fifty. Without a past every phrase is new, and
only one that is in several entries at once stands out."""

SMOOTHING = 0.25
"""Added to the variance, so that two entries of a phrase that is never seen are no miracle."""

ABSORBED = 0.6
"""A phrase is a part of a longer one if so large a share of its entries hold the longer one."""


@dataclass(frozen=True, slots=True)
class PhraseCount:
    """A phrase, how it is written, and how many entries hold it now and in the past."""

    key: str
    text: str
    now: int
    past: int


@dataclass(frozen=True, slots=True)
class Burst:
    """A phrase that bursts, in how many entries, and how many standard deviations above its past."""

    key: str
    text: str
    entries: int
    score: float


def burst_score(now: int, now_total: int, past: int, past_total: int) -> float:
    """Return how many standard deviations `now` entries are above what the past lets one expect.

    Counts of entries are taken as Poisson; the share of the past is smoothed towards a small prior.
    """
    share = (past + PRIOR_ENTRIES) / (past_total + PRIOR_TOTAL)
    expected = now_total * share
    return (now - expected) / math.sqrt(expected + SMOOTHING)


def bursting(
    counts: Mapping[str, PhraseCount],
    now_total: int,
    past_total: int,
    *,
    min_score: float,
    min_entries: int,
) -> list[Burst]:
    """Return the phrases that burst, the strongest first; of phrases within each other, one.

    A phrase gives way to a longer one that most of its entries hold ("solar" to "solar eclipse"), and a longer one to
    a part that is in far more entries.
    """
    found = [
        Burst(one.key, one.text, one.now, score)
        for one in counts.values()
        if one.now >= min_entries
        and (score := burst_score(one.now, now_total, one.past, past_total)) >= min_score
    ]
    by_key = {burst.key: burst for burst in found}
    absorbed = set()
    for burst in found:
        for part in _parts(burst.key):
            inner = by_key.get(part)
            if inner is None:
                continue
            absorbed.add(part if burst.entries >= ABSORBED * inner.entries else burst.key)
    kept = [burst for burst in found if burst.key not in absorbed]
    return sorted(kept, key=lambda burst: (-burst.score, -burst.entries, burst.key))


def _parts(key: str) -> set[str]:
    """Return every shorter phrase within a phrase."""
    words = key.split(" ")
    spaced = len(words) > 1
    units = words if spaced else list(key)
    joint = " " if spaced else ""
    if not spaced and key.isascii():
        return set()
    return {
        joint.join(units[start : start + length])
        for length in range(1, len(units))
        for start in range(len(units) - length + 1)
    }
