"""Whether probabilities mean what they say, and how much precision silence buys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

BINS = 15
DRAWS = 200
SHOWN = 10
"""Tags of a video, the first so many in its order, whose probabilities are judged."""
PROPOSALS = 5
"""Tags of a video over which precision is counted, as in precision@5."""


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Probabilities beside what happened, in `BINS` bins of equal width; NaN for an empty bin.

    `calibration_error` is the mean distance of said from found, weighted by pairs; `chance_error` is what perfect
    probabilities would show on so few pairs, so that nothing below it can be told from none. `brier` is the mean
    squared error of the probabilities, `base_brier` that of one who always says the share of right pairs.
    """

    pairs: int
    said: Float64[np.ndarray, "bin"]
    found: Float64[np.ndarray, "bin"]
    counts: Int[np.ndarray, "bin"]
    calibration_error: float
    chance_error: float
    brier: float
    base_brier: float

    def to_json(self) -> dict[str, Any]:
        """Return the figures, less the bins."""
        return {
            "pairs": self.pairs,
            "calibration_error": self.calibration_error,
            "chance_error": self.chance_error,
            "brier": self.brier,
            "base_brier": self.base_brier,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """Precision of the first five tags over the surest videos alone: `precision[i]` over a share `coverage[i]`."""

    coverage: Float64[np.ndarray, "point"]
    precision: Float64[np.ndarray, "point"]

    def at(self, share: float) -> float:
        """Return the precision, in [0, 1], over this share of the videos, in (0, 1]."""
        return float(np.interp(share, self.coverage, self.precision))


@dataclass(frozen=True, slots=True)
class Calibrated:
    """How far the probabilities of shown tags can be believed; None where a kind of tag was never shown."""

    all: Reliability
    seen: Reliability | None
    unseen: Reliability | None
    coverage: Coverage

    def to_json(self) -> dict[str, Any]:
        """Return the figures, and the precision of the first five tags over all, half and a quarter of the videos."""
        return {
            "all": self.all.to_json(),
            "seen": None if self.seen is None else self.seen.to_json(),
            "unseen": None if self.unseen is None else self.unseen.to_json(),
            "precision@5": {f"{share:g}": self.coverage.at(share) for share in (1.0, 0.5, 0.25)},
        }


def judge_probabilities(
    places: Float[np.ndarray, "video tag"],
    probabilities: Float[np.ndarray, "video tag"],
    relevant: Bool[np.ndarray, "video tag"],
    seen: Bool[np.ndarray, "tag"],
) -> Calibrated:
    """Return how far the probabilities of the tags shown can be believed, over videos that have a right tag.

    `places` holds each tag's place in the order of its video, from 0.
    """
    judged = np.asarray(relevant.any(axis=1))
    video, tag = np.nonzero((places < SHOWN) & judged[:, None])
    said, right = probabilities[video, tag].astype(np.float64), relevant[video, tag]
    kinds = [reliability(said[kind], right[kind]) if kind.any() else None for kind in (seen[tag], ~seen[tag])]
    first = places[judged] < PROPOSALS
    sureness = np.where(first, probabilities[judged], 0.0).sum(axis=1)
    hits = (first & relevant[judged]).sum(axis=1)
    return Calibrated(reliability(said, right), kinds[0], kinds[1], precision_by_coverage(sureness, hits))


def reliability(probabilities: Float[np.ndarray, "pair"], right: Bool[np.ndarray, "pair"]) -> Reliability:
    """Return the probabilities of pairs, at least one, beside whether they were right.

    Source:
        Guo et al., "On Calibration of Modern Neural Networks" (2017), section 2, for the expected calibration error.
    """
    bins = np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    said, found = np.full(BINS, np.nan), np.full(BINS, np.nan)
    total = np.bincount(bins, probabilities, BINS)
    np.divide(total, counts, out=said, where=counts > 0)
    np.divide(np.bincount(bins, right, BINS), counts, out=found, where=counts > 0)
    random = np.random.default_rng(0)
    by_chance = [np.bincount(bins, random.random(len(right)) < probabilities, BINS) for _ in range(DRAWS)]
    base = float(right.mean())
    return Reliability(
        pairs=len(right),
        said=said,
        found=found,
        counts=counts,
        calibration_error=float(np.nansum(np.abs(said - found) * counts) / len(right)),
        chance_error=float(np.abs(np.stack(by_chance) - total).sum(axis=1).mean() / len(right)),
        brier=float(((probabilities - right) ** 2).mean()),
        base_brier=base * (1.0 - base),
    )


def precision_by_coverage(sureness: Float[np.ndarray, "video"], hits: Int[np.ndarray, "video"]) -> Coverage:
    """Return the precision over the surest videos, for every number of them; `hits` count right ones of five."""
    order = np.argsort(-sureness, kind="stable")
    count = 1 + np.arange(len(order))
    return Coverage(count / len(order), np.cumsum(hits[order]) / (PROPOSALS * count))
