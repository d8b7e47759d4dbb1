"""Sound to wavelet bands: how much energy a frame has in each octave, by a discrete wavelet transform.

Each windowed frame of `frames` goes through the low and high pass of Daubechies' wavelet with two vanishing moments,
each followed by dropping every other sample; the low half goes through both again, as often as four samples are left:

    low[k] = sum_j h[j] x[2 k + 1 - j],  high[k] = sum_j g[j] x[2 k + 1 - j],  with zeros around the frame.

What comes back is ln max(mean square, 2^-23) of every high half, the highest octave first, and of the last low half.
"""

from __future__ import annotations

import math
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from tagtower.config.sections import AudioSettings
from tagtower.features.spectra.frames import Frames, log_energy

_ROOT = math.sqrt(3.0)
LOW_PASS = tuple(one / (4 * math.sqrt(2.0)) for one in (1 - _ROOT, 3 - _ROOT, 3 + _ROOT, 1 + _ROOT))
HIGH_PASS = (-LOW_PASS[3], LOW_PASS[2], -LOW_PASS[1], LOW_PASS[0])


@final
class Dwt:
    """The log energy of every frame's wavelet bands."""

    def __init__(self, settings: AudioSettings) -> None:
        self._frames = Frames(settings)
        self._levels = (self._frames.size // len(LOW_PASS)).bit_length() - 1
        self.width = self._levels + 1

    def __call__(self, waveform: Float[Tensor, "samples"]) -> Float[Tensor, "step coefficient"]:
        """Return the log energy of every step's bands, highest octave first.

        Source: Mallat, "A theory for multiresolution signal decomposition: the wavelet representation" (1989),
            section III.C; Daubechies, "Orthonormal bases of compactly supported wavelets" (1988), table 1, N = 2.
        """
        return self._frames.each(waveform, self._energies)

    def _energies(self, frames: Float[Tensor, "step samples"]) -> Float[Tensor, "step band"]:
        bands = wavelet_bands(frames, self._levels)
        return log_energy(torch.stack([band.square().mean(1) for band in bands], dim=1))


def wavelet_bands(rows: Float[Tensor, "row samples"], levels: int) -> list[Float[Tensor, "row coefficient"]]:
    """Return the coefficients of each level's high half, finest first, and of the last low half."""
    # conv1d correlates, so the filters are turned round.
    filters = rows.new_tensor([LOW_PASS[::-1], HIGH_PASS[::-1]])[:, None]
    reach = len(LOW_PASS) - 1
    found: list[Tensor] = []
    low = rows
    for _ in range(levels):
        halves = F.conv1d(F.pad(low, (reach - 1, reach))[:, None], filters, stride=2)
        low = halves[:, 0]
        found.append(halves[:, 1])
    return [*found, low]
