"""Sound to log-mel bands: the logarithm of what a mel filter bank lets through, in the convention of Kaldi.

On the spectrum of `frames`:

5. Mel filter bank: triangles of height 1, evenly spaced and linear in mel = 1127 ln(1 + f / 700) between
   `low_hz` and `high_hz`, over the power |X|^2 or the magnitude |X|.
6. Natural logarithm of max(energy, 2^-23), the float32 epsilon.
"""

from __future__ import annotations

import math
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from tagtower.config.sections import AudioSettings
from tagtower.errors import ConfigError
from tagtower.features.spectra.frames import Frames, bin_hertz, log_energy, upper_hertz


@final
class LogMel:
    """Log-mel bands under fixed settings; the filter bank is made once."""

    def __init__(self, settings: AudioSettings) -> None:
        self.frames = Frames(settings)
        self.width = settings.mels
        self._power = settings.spectrum == "power"
        self._filters = mel_filters(settings, self.frames.fft)

    def __call__(self, waveform: Float[Tensor, "samples"]) -> Float[Tensor, "step coefficient"]:
        """Return the logarithm of each band's energy in every step.

        Source: Davis and Mermelstein, "Comparison of parametric representations for monosyllabic word
            recognition in continuously spoken sentences" (1980), section III; Kaldi, `feature-fbank.cc`.
        """
        return self.frames.each(waveform, self.bands)

    def bands(self, windowed: Float[Tensor, "step samples"]) -> Float[Tensor, "step mel"]:
        """Return the bands of windowed frames, in float64."""
        spectrum = self.frames.magnitudes(windowed)
        return log_energy((spectrum.square() if self._power else spectrum) @ self._filters)


def mel_filters(settings: AudioSettings, fft: int) -> Float[Tensor, "bin mel"]:
    """Return the weight of each FFT bin in each mel band, in [0, 1].

    Raises:
        ConfigError: a band is so narrow that no bin falls into it.
    """
    low, high = _mel(settings.low_hz), _mel(upper_hertz(settings))
    edges = torch.linspace(low, high, settings.mels + 2, dtype=torch.float64)
    bins = 1127.0 * torch.log1p(bin_hertz(settings, fft) / 700.0)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins[:, None] - lower) / (centre - lower)
    falling = (upper - bins[:, None]) / (upper - centre)
    filters = torch.minimum(rising, falling).clamp(min=0.0)
    if not bool(filters.any(dim=0).all()):
        raise ConfigError(
            f"audio.mels ({settings.mels}) is too many: some bands fall between the bins of a spectrum over "
            f"{settings.frame_ms:g} ms.",
            hint="Lower audio.mels, raise audio.frame_ms, or widen audio.low_hz to audio.high_hz.",
        )
    return filters


def _mel(hertz: float) -> float:
    return 1127.0 * math.log1p(hertz / 700.0)
