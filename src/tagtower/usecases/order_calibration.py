"""Fitting the calibration of one order of tags on videos of which the tags are known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from tagtower.evaluation.metrics import Metrics, VideoScores, video_scores
from tagtower.ranking.calibration import SHOWN, Calibration, fit_calibration
from tagtower.ranking.order import Ordered

CALIBRATED = 20
"""Tags of a video, the first so many of its order, that calibration looks at: those that may be shown, and some more. A
score means more near the top of an order than far down another, so maps over 100 are wrong where it matters."""


@dataclass(frozen=True, slots=True)
class FittedOrder:
    """A calibration, None where `hits`, the right tags that it was fitted to, were too few; and the order's metrics."""

    calibration: Calibration | None
    hits: int
    metrics: Metrics


def fit_order(blocks: Iterable[Ordered], relevant: Bool[np.ndarray, "video tag"]) -> FittedOrder:
    """Return the calibration of an order from its blocks, at least one, which cover the videos of `relevant`.

    Videos without any tag count for nothing: nobody may have looked at them yet.
    """
    scores, hits, new, shown, measured = [], [], [], [], []
    start = 0
    for found in blocks:
        own = relevant[start : start + len(found.places)]
        start += len(own)
        measured.append(video_scores(found.places.astype(np.float32), own))
        labelled = np.asarray(own.any(axis=1))[:, None]
        chosen = (found.places < CALIBRATED) & np.isfinite(found.scores) & labelled
        video, tag = np.nonzero(chosen)
        scores.append(found.scores[video, tag])
        hits.append(own[video, tag])
        new.append(found.new[tag])
        shown.append(found.places[video, tag] < SHOWN)
    right = np.concatenate(hits)
    calibration = fit_calibration(np.concatenate(scores), right, np.concatenate(new), np.concatenate(shown))
    return FittedOrder(calibration, int(right.sum()), VideoScores.concatenate(measured).mean())
