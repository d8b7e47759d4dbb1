"""From scores to probabilities: monotone maps that were fitted on videos of which the tags are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64
from scipy.optimize import isotonic_regression, minimize
from scipy.special import expit

from tagtower.errors import UsageError

LEAST_HITS = 50
"""Right pairs below which a map of their own would follow chance."""

ENOUGH_HITS = 1000
"""Right pairs from which on a map may take any rising form; fewer are fitted by a logistic curve. With 150, the curve
was nearer to other videos than the free form (Brier .208 against .212, two halves of validation)."""

KNOTS = 65
"""Points of a logistic curve that are kept, evenly over its scores."""

SHOWN = 10
"""Tags of a video, the first so many in its order, over which a threshold's precision is counted."""

THRESHOLDS = np.round(np.arange(0.01, 1.0, 0.01), 2)


@dataclass(frozen=True, slots=True, eq=False)
class ProbabilityMap:
    """A rising map: scores at which it is known, ascending, and the probabilities there, straight in between."""

    scores: Float64[np.ndarray, "knot"]
    probabilities: Float64[np.ndarray, "knot"]

    def __call__(self, scores: Float[np.ndarray, "*any"]) -> Float64[np.ndarray, "*any"]:
        """Return the probability, in [0, 1], for each score; beyond the last knots it stays as there."""
        return np.asarray(np.interp(scores, self.scores, self.probabilities))

    def least_score(self, probability: float) -> float:
        """Return the lowest score that has at least this probability: -inf where all have it, inf where none."""
        above = np.flatnonzero(self.probabilities >= probability)
        if not len(above):
            return np.inf
        knot = int(above[0])
        if knot == 0:
            return -np.inf
        low, high = self.probabilities[knot - 1], self.probabilities[knot]
        share = (probability - low) / (high - low)
        return float(self.scores[knot - 1] + share * (self.scores[knot] - self.scores[knot - 1]))

    def to_json(self) -> dict[str, list[float]]:
        """Return the knots."""
        return {"scores": self.scores.tolist(), "probabilities": self.probabilities.tolist()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ProbabilityMap:
        """Return the map that `to_json` gave."""
        return cls(
            np.array(data["scores"], np.float64),
            np.array(data["probabilities"], np.float64),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Maps for tags that labelled videos have and for new ones, and the precision behind each threshold.

    `precisions` belongs to `THRESHOLDS`: the share of right ones among the tags shown that have at least that
    probability; NaN where there is none.
    """

    known: ProbabilityMap
    new: ProbabilityMap
    precisions: Float64[np.ndarray, "threshold"]

    def __call__(
        self, scores: Float[np.ndarray, "*any"], new: Bool[np.ndarray, "*any"]
    ) -> Float64[np.ndarray, "*any"]:
        """Return the probability that each tag is right, in [0, 1]."""
        return np.where(new, self.new(scores), self.known(scores))

    def threshold(self, precision: float) -> float:
        """Return the lowest probability from which on the tags shown were right at least so often on validation.

        Raises:
            UsageError: `precision` is not in (0, 1], or no threshold reached it.
        """
        if not 0 < precision <= 1:
            raise UsageError(
                f"A precision of {precision:g} was asked for.", hint="Ask for one above 0, up to 1."
            )
        with np.errstate(invalid="ignore"):
            reached = np.flatnonzero(self.precisions >= precision)
        if not len(reached):
            raise UsageError(
                f"This model reaches no precision of {precision:g} on its validation videos.",
                hint=f"It reaches {np.nanmax(self.precisions):.2f} at most: ask for that or less.",
            )
        return float(THRESHOLDS[reached[0]])

    def to_json(self) -> dict[str, Any]:
        """Return the maps and the precision behind each threshold."""
        return {
            "known": self.known.to_json(),
            "new": self.new.to_json(),
            "precisions": [None if np.isnan(one) else one for one in self.precisions.tolist()],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Calibration:
        """Return the calibration that `to_json` gave."""
        return cls(
            ProbabilityMap.from_json(data["known"]),
            ProbabilityMap.from_json(data["new"]),
            np.array([np.nan if one is None else one for one in data["precisions"]], np.float64),
        )


def fit_map(scores: Float[np.ndarray, "pair"], hits: Bool[np.ndarray, "pair"]) -> ProbabilityMap:
    """Return the rising map with the least squared error from scores to the share of hits; at least one pair.

    Source:
        Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass probability estimates" (2002).
    """
    values, place = np.unique(scores, return_inverse=True)
    weights = np.bincount(place).astype(np.float64)
    shares = np.bincount(place, weights=hits) / weights
    fitted = isotonic_regression(shares, weights=weights)
    blocks = np.asarray(fitted.blocks)
    first, last = blocks[:-1], blocks[1:] - 1
    # A flat block keeps both of its ends; one that is a single score keeps one.
    kept = np.unique(np.concatenate([first, last]))
    return ProbabilityMap(values[kept].astype(np.float64), np.asarray(fitted.x, np.float64)[kept])


def fit_curve(scores: Float[np.ndarray, "pair"], hits: Bool[np.ndarray, "pair"]) -> ProbabilityMap:
    """Return the logistic curve of the highest likelihood as a map; the scores are not all the same.

    Source:
        Platt, "Probabilistic Outputs for Support Vector Machines" (1999), section 2.
    """
    centre, spread = float(scores.mean()), max(float(scores.std()), 1e-9)
    exact = (scores.astype(np.float64) - centre) / spread
    signs = 1.0 - 2.0 * hits

    def loss(weights: Float64[np.ndarray, "2"]) -> float:
        # The touch of decay keeps a task without a single error finite.
        return float(
            np.logaddexp(0.0, signs * (weights[0] + weights[1] * exact)).mean() + 1e-4 * weights[1] ** 2
        )

    offset, slope = minimize(loss, np.array([0.0, 1.0])).x
    knots = np.linspace(exact.min(), exact.max(), KNOTS)
    return ProbabilityMap(centre + spread * knots, expit(offset + max(slope, 0.0) * knots))


def fit_calibration(
    scores: Float[np.ndarray, "pair"],
    hits: Bool[np.ndarray, "pair"],
    new: Bool[np.ndarray, "pair"],
    shown: Bool[np.ndarray, "pair"],
) -> Calibration | None:
    """Return the calibration that fits these pairs, or None where too few are right to fit any.

    A kind of tag with few hits gets a logistic curve, and one with too few for that the map of all pairs.

    Args:
        new: pairs whose tag no labelled video has.
        shown: pairs among the first `SHOWN` of their video, over which thresholds are counted.
    """
    if hits.sum() < LEAST_HITS:
        return None
    whole = _fit(scores, hits)
    known, unknown = (
        _fit(scores[kind], hits[kind]) if hits[kind].sum() >= LEAST_HITS else whole for kind in (~new, new)
    )
    probabilities = np.where(new, unknown(scores), known(scores))[shown]
    order = np.argsort(-probabilities, kind="stable")
    right = np.concatenate([[0], np.cumsum(hits[shown][order])])
    above = np.searchsorted(-probabilities[order], -THRESHOLDS, side="right")
    precisions = np.full(len(THRESHOLDS), np.nan)
    np.divide(right[above], above, out=precisions, where=above > 0)
    return Calibration(known, unknown, precisions)


def _fit(scores: Float[np.ndarray, "pair"], hits: Bool[np.ndarray, "pair"]) -> ProbabilityMap:
    return fit_map(scores, hits) if hits.sum() >= ENOUGH_HITS else fit_curve(scores, hits)
