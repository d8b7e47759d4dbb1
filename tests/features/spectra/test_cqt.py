from __future__ import annotations

import numpy as np
import pytest
import torch

from tagtower.config.sections import AudioSettings
from tagtower.errors import ConfigError
from tagtower.features.spectra.cqt import Cqt, pitches


def slow_cqt(waveform: np.ndarray, audio: AudioSettings) -> np.ndarray:
    """The formula, sample by sample of every window, in float64."""
    size, hop = int(audio.sample_rate * audio.frame_ms / 1000), int(audio.sample_rate * audio.hop_ms / 1000)
    quality = 1 / (2 ** (1 / audio.bins_per_octave) - 1)
    rows = []
    for start in range(0, len(waveform) - size + 1, hop):
        row, middle = [], start + size // 2
        for hertz in pitches(audio).tolist():
            length = int(np.ceil(quality * audio.sample_rate / hertz))
            t = np.arange(length)
            at = middle - length // 2 + t
            inside = (at >= 0) & (at < len(waveform))
            sound = np.where(inside, waveform.astype(np.float64)[np.clip(at, 0, len(waveform) - 1)], 0.0)
            window = np.hamming(length)
            wave = np.exp(-2j * np.pi * hertz * t / audio.sample_rate)
            row.append(abs(np.sum(window * sound * wave) / window.sum()) ** 2)
        rows.append(row)
    return np.log(np.maximum(rows, 2.0**-23))


@pytest.mark.parametrize(
    "changes",
    [{}, {"bins_per_octave": 5, "hop_ms": 7.0}, {"low_hz": 1000.0}, {"low_hz": 300.0, "high_hz": 3700.0}],
)
def test_agrees_with_the_formula(waveform: np.ndarray, changes: dict[str, float]) -> None:
    audio = AudioSettings(**changes)
    ours = Cqt(audio)(torch.from_numpy(waveform)).numpy()
    assert ours.shape[1] == Cqt(audio).width
    np.testing.assert_allclose(ours, slow_cqt(waveform, audio), atol=1e-4, rtol=0)


def test_sound_shorter_than_its_windows() -> None:
    sound = np.random.default_rng(0).uniform(-1, 1, 400).astype(np.float32)
    ours = Cqt(AudioSettings())(torch.from_numpy(sound)).numpy()
    np.testing.assert_allclose(ours, slow_cqt(sound, AudioSettings()), atol=1e-4, rtol=0)


def test_a_full_scale_sine_stands_in_its_bin() -> None:
    audio = AudioSettings()
    sine = torch.sin(2 * torch.pi * 440 * torch.arange(16000) / 16000)
    middle = Cqt(audio)(sine)[49]
    assert pitches(audio)[int(middle.argmax())].item() == pytest.approx(440)
    assert middle.max().item() == pytest.approx(-2 * np.log(2), abs=1e-2)


def test_a_range_without_a_pitch_is_refused() -> None:
    with pytest.raises(ConfigError, match="finds no pitch"):
        Cqt(AudioSettings(high_hz=50.0))
