"""The target-distance rule: a tag drawn from a band that begins some way beyond the positive."""

from __future__ import annotations

from tagtower.config.sections import Settings
from tagtower.training.mining.band import Band
from tagtower.training.mining.band_miner import BandMiner


def target_distance_miner(settings: Settings) -> BandMiner:
    """d(a,p) + v < d(a,n) < d(a,p) + c, where c is the loss's margin unless `negatives.ceiling` says otherwise.

    Source: US patent 12,394,226 B2 for the lower bound, which is the whole rule there. The upper one keeps
    tags out that are so far away that their hinge is zero.
    """
    band = Band(above=settings.negatives.offset, below=ceiling_of(settings))
    return BandMiner("target-distance", settings.distance.kind, band, settings.loss.margin)


def ceiling_of(settings: Settings) -> float:
    """How much farther than the positive a negative may lie, c; infinite under the one-sided rule."""
    match settings.negatives.ceiling:
        case "margin":
            return settings.loss.margin
        case "none":
            return float("inf")
        case distance:
            return distance
