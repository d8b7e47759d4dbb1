"""Sound to MFCC: the cosine transform of log-mel bands, in the convention of Kaldi.

After steps 1 to 6 of `frames` and `mel`, each of which a test checks against kaldi-native-fbank and against plain
float64 numpy:

7. Orthonormal DCT-II, of which the first `coefficients` are kept; the first is the level of the frame. No
   lifter, no deltas.
"""

from __future__ import annotations

import math
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from tagtower.config.sections import AudioSettings
from tagtower.features.spectra.mel import LogMel


@final
class Mfcc:
    """MFCC under fixed settings; the filter bank and the cosines are made once."""

    def __init__(self, settings: AudioSettings) -> None:
        self.width = settings.coefficients
        self._mel = LogMel(settings)
        self._cosines = _cosines(settings.mels, settings.coefficients)

    def __call__(self, waveform: Float[Tensor, "samples"]) -> Float[Tensor, "step coefficient"]:
        """Return the coefficients of every step.

        Source: Davis and Mermelstein, "Comparison of parametric representations for monosyllabic word
            recognition in continuously spoken sentences" (1980), section III; Kaldi, `feature-mfcc.cc`.
        """
        return self._mel.frames.each(waveform, lambda frames: self._mel.bands(frames) @ self._cosines)


def mfcc(waveform: Float[Tensor, "samples"], settings: AudioSettings) -> Float[Tensor, "step coefficient"]:
    """Return the coefficients of one sound; for many, keep an `Mfcc`."""
    return Mfcc(settings)(waveform)


def _cosines(mels: int, coefficients: int) -> Float[Tensor, "mel coefficient"]:
    """The orthonormal DCT-II as a matrix."""
    band = torch.arange(mels, dtype=torch.float64)[:, None] + 0.5
    order = torch.arange(coefficients, dtype=torch.float64)
    matrix = torch.cos(math.pi / mels * band * order) * math.sqrt(2.0 / mels)
    matrix[:, 0] = math.sqrt(1.0 / mels)
    return matrix
