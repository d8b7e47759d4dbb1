"""Sound to spectral flatness by octaves: whether a band holds tones or noise, whatever its level and colour.

For each octave down from `high_hz`: the mean of the logarithm of its bins' power, less the logarithm of their mean.
It is 0 where all bins are equal, about -0.58 for white noise, and far below where a few bins hold the energy. MFCC
smooth over just that: 13 of them cannot tell a siren from noise of its colour.
"""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from tagtower.config.sections import AudioSettings
from tagtower.errors import ConfigError
from tagtower.features.spectra.frames import LOG_FLOOR, Frames, bin_hertz, upper_hertz

FEWEST_BINS = 8
"""An octave of fewer bins says little; it and all below it join the octave above."""


@final
class Flatness:
    """Flatness of each octave under fixed settings, lowest first."""

    def __init__(self, settings: AudioSettings) -> None:
        self._frames = Frames(settings)
        self._bands = octaves(settings, self._frames.fft)
        self.width = len(self._bands)

    def __call__(self, waveform: Float[Tensor, "samples"]) -> Float[Tensor, "step coefficient"]:
        """Return the flatness of every step's bands, in nats, at most 0.

        Source: Gray and Markel, "A spectral-flatness measure for studying the autocorrelation method of linear
            prediction of speech analysis" (1974), equation 4, in bands as MPEG-7's AudioSpectrumFlatness.
        """
        return self._frames.each(waveform, self._flatness)

    def _flatness(self, windowed: Float[Tensor, "step samples"]) -> Float[Tensor, "step band"]:
        power = self._frames.magnitudes(windowed).square().clamp(min=LOG_FLOOR)
        bands = [power[:, first:stop] for first, stop in self._bands]
        return torch.stack([band.log().mean(1) - band.mean(1).log() for band in bands], dim=1)


def octaves(settings: AudioSettings, fft: int) -> list[tuple[int, int]]:
    """Return the bins of each octave, from the first to before the last, lowest octave first.

    Raises:
        ConfigError: `low_hz` to `high_hz` holds too few bins for a single band.
    """
    hertz = bin_hertz(settings, fft)
    stop = int((hertz <= upper_hertz(settings)).sum())
    lowest = int((hertz < settings.low_hz).sum())
    if stop - lowest < FEWEST_BINS:
        raise ConfigError(
            f"audio.frontend `flatness` finds only {stop - lowest} bins between audio.low_hz and audio.high_hz.",
            hint="Raise audio.frame_ms, or widen audio.low_hz to audio.high_hz.",
        )
    found: list[tuple[int, int]] = []
    edge = upper_hertz(settings)
    while True:
        edge /= 2
        first = max(lowest, int((hertz < edge).sum()))
        below = int(((hertz >= max(edge / 2, settings.low_hz)) & (hertz < edge)).sum())
        if below < FEWEST_BINS:
            return [(lowest, stop), *found]
        found.insert(0, (first, stop))
        stop = first
