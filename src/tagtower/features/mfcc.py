"""Sound to MFCC: the cepstral coefficients of short overlapping frames, in the convention of Kaldi.

The recipe, each step of which a test checks against kaldi-native-fbank and against plain float64 numpy:

1. Framing: `frame_ms` every `hop_ms`, both cut to whole samples; only frames that lie wholly in the sound.
2. Pre-emphasis inside each frame: y[t] = x[t] - c x[t-1], and y[0] = (1 - c) x[0]. No offset is removed, no
   dither added.
3. Hamming window, symmetric: 0.54 - 0.46 cos(2 pi t / (N - 1)).
4. FFT, zero-padded to the next power of two; its power |X|^2, or its magnitude |X|.
5. Mel filter bank: triangles of height 1, evenly spaced and linear in mel = 1127 ln(1 + f / 700) between
   `low_hz` and `high_hz`.
6. Natural logarithm of max(energy, 2^-23), the float32 epsilon.
7. Orthonormal DCT-II, of which the first `coefficients` are kept; the first is the level of the frame. No
   lifter, no deltas.

It runs in float64: in float32 the rounding of the FFT drowns the quiet bands beside a loud tone.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from tagtower.config.sections import AudioSettings
from tagtower.errors import ConfigError

LOG_FLOOR = 2.0**-23
FRAMES_AT_ONCE = 512
"""Frames are taken in blocks of this many: a block stays in the cache (60 s of sound in 43 ms of one core, 94 ms
in blocks of 4096), and memory does not grow with the sound."""


class Mfcc:
    """MFCC under fixed settings; the window, the filter bank and the cosines are made once."""

    def __init__(self, settings: AudioSettings) -> None:
        self._frame = int(settings.sample_rate * settings.frame_ms / 1000)
        self._hop = int(settings.sample_rate * settings.hop_ms / 1000)
        self._fft = 1 << (self._frame - 1).bit_length()
        self._preemphasis = settings.preemphasis
        self._power = settings.spectrum == "power"
        self._window = torch.hamming_window(self._frame, periodic=False, dtype=torch.float64)
        self._filters = mel_filters(settings, self._fft)
        self._cosines = _cosines(settings.mels, settings.coefficients)

    def __call__(self, waveform: Float[Tensor, "samples"]) -> Float[Tensor, "step coefficient"]:
        """Return the coefficients of every step as float32.

        Args:
            waveform: mono at `sample_rate`, in [-1, 1]; what is no number counts as silence, and sound shorter
                than one frame is padded with silence to one.

        Source: Davis and Mermelstein, "Comparison of parametric representations for monosyllabic word
            recognition in continuously spoken sentences" (1980), section III; Kaldi, `feature-mfcc.cc`.
        """
        sound = waveform.double().nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
        sound = torch.nn.functional.pad(sound, (0, max(0, self._frame - sound.numel())))
        frames = sound.unfold(0, self._frame, self._hop)
        return torch.cat([self._cepstra(block) for block in torch.split(frames, FRAMES_AT_ONCE)])

    def _cepstra(self, frames: Float[Tensor, "step samples"]) -> Float[Tensor, "step coefficient"]:
        before = torch.cat([frames[:, :1], frames[:, :-1]], dim=1)
        windowed = (frames - self._preemphasis * before) * self._window
        spectrum = torch.fft.rfft(windowed, n=self._fft).abs()
        energies = (spectrum.square() if self._power else spectrum) @ self._filters
        cepstra: Tensor = energies.clamp(min=LOG_FLOOR).log() @ self._cosines
        return cepstra.float()


def mfcc(waveform: Float[Tensor, "samples"], settings: AudioSettings) -> Float[Tensor, "step coefficient"]:
    """Return the coefficients of one sound; for many, keep an `Mfcc`."""
    return Mfcc(settings)(waveform)


def mel_filters(settings: AudioSettings, fft: int) -> Float[Tensor, "bin mel"]:
    """Return the weight of each FFT bin in each mel band, in [0, 1].

    Raises:
        ConfigError: a band is so narrow that no bin falls into it.
    """
    high_hz = settings.sample_rate / 2 if settings.high_hz is None else settings.high_hz
    edges = torch.linspace(_mel(settings.low_hz), _mel(high_hz), settings.mels + 2, dtype=torch.float64)
    hertz = torch.arange(fft // 2 + 1, dtype=torch.float64) * settings.sample_rate / fft
    bins = 1127.0 * torch.log1p(hertz / 700.0)
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


def _cosines(mels: int, coefficients: int) -> Float[Tensor, "mel coefficient"]:
    """The orthonormal DCT-II as a matrix."""
    band = torch.arange(mels, dtype=torch.float64)[:, None] + 0.5
    order = torch.arange(coefficients, dtype=torch.float64)
    matrix = torch.cos(math.pi / mels * band * order) * math.sqrt(2.0 / mels)
    matrix[:, 0] = math.sqrt(1.0 / mels)
    return matrix
