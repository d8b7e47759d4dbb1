"""The semi-hard rule: a tag drawn from those farther than the positive, yet inside the margin."""

from __future__ import annotations

from tagtower.config.sections import Settings
from tagtower.training.mining.band import Band
from tagtower.training.mining.band_miner import BandMiner


def semi_hard_miner(settings: Settings) -> BandMiner:
    """d(a,p) < d(a,n) < d(a,p) + m.

    Source: Schroff, Kalenichenko, Philbin, "FaceNet", CVPR 2015, section 3.2, equation 4.
    """
    band = Band(above=0.0, below=settings.loss.margin)
    return BandMiner("semi-hard", settings.distance.kind, band, settings.loss.margin)
