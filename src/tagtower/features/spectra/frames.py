"""A waveform cut into short overlapping frames: the grid of steps that all spectra share.

1. Framing: `frame_ms` every `hop_ms`, both cut to whole samples; only frames that lie wholly in the sound.
2. Pre-emphasis inside each frame: y[t] = x[t] - c x[t-1], and y[0] = (1 - c) x[0]. No offset is removed, no
   dither added.
3. Hamming window, symmetric: 0.54 - 0.46 cos(2 pi t / (N - 1)).
4. FFT, zero-padded to the next power of two; its magnitude |X|.

All of it runs in float64: in float32 the rounding of the FFT drowns the quiet bands beside a loud tone.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from tagtower.config.sections import AudioSettings

LOG_FLOOR = 2.0**-23
"""Energies below the float32 epsilon count as this one before their logarithm."""

FRAMES_AT_ONCE = 512
"""Frames are taken in blocks of this many: a block stays in the cache (60 s of sound to MFCC in 43 ms of one core,
94 ms in blocks of 4096), and memory does not grow with the sound."""


class Frames:
    """Cuts sound under fixed settings; `size`, `hop` and `fft` are in samples."""

    def __init__(self, settings: AudioSettings) -> None:
        self.size = int(settings.sample_rate * settings.frame_ms / 1000)
        self.hop = int(settings.sample_rate * settings.hop_ms / 1000)
        self.fft = 1 << (self.size - 1).bit_length()
        self._preemphasis = settings.preemphasis
        self._window = torch.hamming_window(self.size, periodic=False, dtype=torch.float64)

    def padded(self, waveform: Float[Tensor, "samples"]) -> Float[Tensor, "padded"]:
        """Return the sound as float64, at least one frame long, with silence for what is no number."""
        sound = waveform.double().nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
        return torch.nn.functional.pad(sound, (0, max(0, self.size - sound.numel())))

    def steps(self, samples: int) -> int:
        """Return how many frames a sound of so many samples has."""
        return 1 + max(0, samples - self.size) // self.hop

    def each(
        self, waveform: Float[Tensor, "samples"], function: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, "step coefficient"]:
        """Return `function` of the windowed frames, block by block, as float32."""
        frames = self.padded(waveform).unfold(0, self.size, self.hop)
        blocks = torch.split(frames, FRAMES_AT_ONCE)
        return torch.cat([function(self._windowed(block)).float() for block in blocks])

    def magnitudes(self, windowed: Float[Tensor, "step samples"]) -> Float[Tensor, "step bin"]:
        """Return |X| in the bins from 0 Hz to half the rate."""
        magnitudes: Tensor = torch.fft.rfft(windowed, n=self.fft).abs()
        return magnitudes

    def _windowed(self, frames: Float[Tensor, "step samples"]) -> Float[Tensor, "step samples"]:
        before = torch.cat([frames[:, :1], frames[:, :-1]], dim=1)
        return (frames - self._preemphasis * before) * self._window


def bin_hertz(settings: AudioSettings, fft: int) -> Float[Tensor, "bin"]:
    """Return the frequency of each bin (Hz)."""
    return torch.arange(fft // 2 + 1, dtype=torch.float64) * settings.sample_rate / fft


def upper_hertz(settings: AudioSettings) -> float:
    """Return the upper edge of the bands (Hz)."""
    return settings.sample_rate / 2 if settings.high_hz is None else settings.high_hz


def log_energy(energy: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Return the natural logarithm, of `LOG_FLOOR` where there is less."""
    return energy.clamp(min=LOG_FLOOR).log()
