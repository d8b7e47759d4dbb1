from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch

from tagtower.config.sections import AudioSettings
from tagtower.errors import ConfigError
from tagtower.features.spectra.flatness import Flatness, octaves

HERTZ = np.arange(257) * 16000 / 512
BANDS = [(20, 500), (500, 1000), (1000, 2000), (2000, 4000), (4000, 8001)]


def test_agrees_with_the_ratio_of_scipys_means(waveform: np.ndarray, frames: np.ndarray) -> None:
    power = np.maximum(np.abs(np.fft.rfft(frames, 512)) ** 2, 2.0**-23)
    bands = [power[:, (low <= HERTZ) & (high > HERTZ)] for low, high in BANDS]
    expected = np.stack([np.log(scipy.stats.gmean(b, axis=1) / b.mean(axis=1)) for b in bands], axis=1)
    flatness = Flatness(AudioSettings())
    assert flatness.width == len(BANDS)
    np.testing.assert_allclose(flatness(torch.from_numpy(waveform)).numpy(), expected, atol=1e-5, rtol=0)


def test_tells_a_tone_from_noise_whatever_the_level() -> None:
    noise = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, 16000)).float()
    tone = torch.sin(2 * torch.pi * 1500 * torch.arange(16000) / 16000)
    flatness = Flatness(AudioSettings())
    torch.testing.assert_close(flatness(noise), flatness(0.1 * noise), atol=1e-3, rtol=0)
    assert flatness(noise).mean(0)[2] > -0.8
    assert flatness(tone).mean(0)[2] < -3


@pytest.mark.parametrize(
    "changes", [{}, {"high_hz": 5000.0}, {"low_hz": 900.0}, {"sample_rate": 4000, "frame_ms": 10.0}]
)
def test_every_bin_between_the_edges_is_in_one_band(changes: dict[str, float]) -> None:
    audio = AudioSettings(**changes)
    fft = 1 << (int(audio.sample_rate * audio.frame_ms / 1000) - 1).bit_length()
    hertz = np.arange(fft // 2 + 1) * audio.sample_rate / fft
    inside = np.flatnonzero((hertz >= audio.low_hz) & (hertz <= (audio.high_hz or audio.sample_rate / 2)))
    found = [bin for first, stop in octaves(audio, fft) for bin in range(first, stop)]
    assert found == inside.tolist()


def test_too_few_bins_are_refused() -> None:
    with pytest.raises(ConfigError, match="finds only"):
        Flatness(AudioSettings(low_hz=100.0, high_hz=200.0))
