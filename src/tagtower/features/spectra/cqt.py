"""Sound to semitones: a spectrum whose bins are evenly spaced in pitch, each seen through as many of its own periods.

Bin k stands for f_k = f_0 2^(k / b) Hz, with b = `bins_per_octave` and f_0 the larger of `low_hz` and 55 Hz (the note
A1: lower notes would need windows of a second). Around the middle m of every frame of `frames`

    X_k = 1 / sum(w) sum_t w[t] x[m - floor(N_k / 2) + t] exp(-2 pi i f_k t / rate),  t = 0 ... N_k - 1,

with N_k = ceil(Q rate / f_k), Q = 1 / (2^(1 / b) - 1), a symmetric Hamming window w over N_k samples, and silence
around the sound; no pre-emphasis. What comes back is ln max(|X_k|^2, 2^-23): a full-scale sine gives -2 ln 2.
"""

from __future__ import annotations

import math
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from tagtower.config.sections import AudioSettings
from tagtower.errors import ConfigError
from tagtower.features.spectra.frames import FRAMES_AT_ONCE, Frames, log_energy, upper_hertz

LOWEST_HZ = 55.0


@final
class Cqt:
    """The log power of every step's semitones, lowest first."""

    def __init__(self, settings: AudioSettings) -> None:
        self._frames = Frames(settings)
        hertz = pitches(settings)
        self.width = len(hertz)
        self._octaves = [_waves(part, settings) for part in torch.split(hertz, settings.bins_per_octave)]

    def __call__(self, waveform: Float[Tensor, "samples"]) -> Float[Tensor, "step coefficient"]:
        """Return the log power of every step's bins.

        Source: Brown, "Calculation of a constant Q spectral transform" (1991), equation 5.
        """
        sound = self._frames.padded(waveform)
        steps = self._frames.steps(sound.numel())
        return torch.cat([self._octave(sound, steps, waves) for waves in self._octaves], dim=1).float()

    def _octave(
        self, sound: Float[Tensor, "samples"], steps: int, waves: Float[Tensor, "window bins"]
    ) -> Float[Tensor, "step bin"]:
        """Bins of one octave share a window as long as its lowest needs."""
        window = len(waves)
        middle, hop = self._frames.size // 2, self._frames.hop
        start = middle - window // 2  # of the first step's window, often before the sound begins
        padded = F.pad(sound, (max(0, -start), window))[max(0, start) :]
        rows = padded.unfold(0, window, hop)[:steps]
        parts = [block @ waves for block in torch.split(rows, FRAMES_AT_ONCE)]
        real, imaginary = torch.cat(parts).chunk(2, dim=1)
        return log_energy(real.square() + imaginary.square())


def pitches(settings: AudioSettings) -> Float[Tensor, "bin"]:
    """Return the frequency of each bin (Hz).

    Raises:
        ConfigError: there is no room for a single bin.
    """
    lowest, highest = max(settings.low_hz, LOWEST_HZ), upper_hertz(settings)
    if lowest >= highest:
        raise ConfigError(
            f"audio.frontend `cqt` finds no pitch between {lowest:g} and {highest:g} Hz.",
            hint="Raise audio.high_hz or audio.sample_rate.",
        )
    bins = math.ceil(settings.bins_per_octave * math.log2(highest / lowest))
    return lowest * 2.0 ** (torch.arange(bins, dtype=torch.float64) / settings.bins_per_octave)


def _waves(hertz: Float[Tensor, "bin"], settings: AudioSettings) -> Float[Tensor, "window bins"]:
    """Cosines, then negative sines, of each bin under its own window, in the middle of the octave's longest."""
    quality = 1 / (2 ** (1 / settings.bins_per_octave) - 1)
    lengths = [math.ceil(quality * settings.sample_rate / one) for one in hertz.tolist()]
    waves = torch.zeros((lengths[0], 2 * len(lengths)), dtype=torch.float64)
    for column, (length, one) in enumerate(zip(lengths, hertz.tolist(), strict=True)):
        window = torch.hamming_window(length, periodic=False, dtype=torch.float64)
        angle = torch.arange(length, dtype=torch.float64) * (2 * math.pi * one / settings.sample_rate)
        first = lengths[0] // 2 - length // 2
        waves[first : first + length, column] = angle.cos() * window / window.sum()
        waves[first : first + length, len(lengths) + column] = -angle.sin() * window / window.sum()
    return waves
