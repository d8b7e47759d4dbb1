"""Sound to the cosine transform of its frames: a spectrum of real numbers, one coefficient a sample of the frame.

On the windowed frames x of N samples of `frames`, with the orthonormal DCT-II

    c[k] = s[k] sum_t x[t] cos(pi k (2 t + 1) / 2 N),  s[0] = sqrt(1 / N), s[k] = sqrt(2 / N),

coefficient k stands for k rate / 2 N Hz. What comes back is ln max(c[k]^2, 2^-23), as its sign says nothing but where
the frame was cut.
"""

from __future__ import annotations

import math
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from tagtower.config.sections import AudioSettings
from tagtower.features.spectra.frames import Frames, log_energy


@final
class Dct:
    """The log energy of every frame's cosine transform; as wide as a frame is long."""

    def __init__(self, settings: AudioSettings) -> None:
        self._frames = Frames(settings)
        self.width = self._frames.size

    def __call__(self, waveform: Float[Tensor, "samples"]) -> Float[Tensor, "step coefficient"]:
        """Return the log energy of every step's coefficients.

        Source: Ahmed, Natarajan, Rao, "Discrete cosine transform" (1974), equation 1.
        """
        return self._frames.each(waveform, lambda frames: log_energy(dct_ii(frames).square()))


def dct_ii(rows: Float[Tensor, "row samples"]) -> Float[Tensor, "row samples"]:
    """Return the orthonormal DCT-II of each row, by one FFT of its length.

    Source: Makhoul, "A fast cosine transform in one and two dimensions" (1980), section III.
    """
    samples = rows.shape[1]
    folded = torch.cat([rows[:, ::2], rows[:, 1::2].flip(1)], dim=1)
    angle = torch.arange(samples, dtype=rows.dtype, device=rows.device) * (math.pi / (2 * samples))
    spectrum = torch.fft.fft(folded)
    found: Tensor = (spectrum.real * angle.cos() + spectrum.imag * angle.sin()) * math.sqrt(2 / samples)
    found[:, 0] *= math.sqrt(0.5)
    return found
