"""How far the difference between two models can be trusted, from the scores of the same videos under both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from tagtower.errors import InputError

RESAMPLES = 10_000
BLOCK_ELEMENTS = 1 << 21
"""Drawn videos held at one time; 16 MiB."""


@dataclass(frozen=True, slots=True)
class BootstrapInterval:
    """The mean of a - b over `videos` videos, and the bounds between which 95 % of the resamples lie."""

    videos: int
    difference: float
    low: float
    high: float

    @property
    def clear_of_zero(self) -> bool:
        """Whether the interval leaves no doubt which of the two is larger."""
        return self.low > 0 or self.high < 0


def bootstrap_interval(
    values_a: Float[np.ndarray, "video"], values_b: Float[np.ndarray, "video"], seed: int
) -> BootstrapInterval:
    """Return the paired percentile interval of the mean difference a - b, from 10,000 resamples of the videos.

    Videos that have no score under either (NaN) are left out.

    Raises:
        InputError: no video has a score, or one has a score under one model only.
    Source:
        Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), section 13.3.
    """
    if (np.isnan(values_a) != np.isnan(values_b)).any():
        raise InputError(
            "Some videos have a score under one model only.",
            hint="Compare two models on the same videos and the same relevant tags.",
        )
    difference = values_a - values_b
    difference = difference[~np.isnan(difference)]
    videos = len(difference)
    if not videos:
        raise InputError("No video has a score.", hint="Are the videos' tags in the tag library?")
    generator = np.random.default_rng(seed)
    step = max(1, BLOCK_ELEMENTS // videos)
    means = np.concatenate(
        [
            difference[generator.integers(0, videos, (min(step, RESAMPLES - start), videos))].mean(axis=1)
            for start in range(0, RESAMPLES, step)
        ]
    )
    low, high = np.percentile(means, [2.5, 97.5])
    return BootstrapInterval(videos, float(difference.mean()), float(low), float(high))
