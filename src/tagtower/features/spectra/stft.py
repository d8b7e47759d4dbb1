"""Sound to its short-time spectrum: ln max(|X[k]|^2, 2^-23) in every bin k of `frames`, from 0 Hz to half the rate."""

from __future__ import annotations

from typing import final

from jaxtyping import Float
from torch import Tensor

from tagtower.config.sections import AudioSettings
from tagtower.features.spectra.frames import Frames, log_energy


@final
class Stft:
    """The log power spectrum of every frame; as wide as half its FFT, plus one."""

    def __init__(self, settings: AudioSettings) -> None:
        self._frames = Frames(settings)
        self.width = self._frames.fft // 2 + 1

    def __call__(self, waveform: Float[Tensor, "samples"]) -> Float[Tensor, "step coefficient"]:
        """Return the log power of every step's bins.

        Source: Allen, "Short term spectral analysis, synthesis, and modification by discrete Fourier transform"
            (1977), section II.
        """
        return self._frames.each(
            waveform, lambda frames: log_energy(self._frames.magnitudes(frames).square())
        )
