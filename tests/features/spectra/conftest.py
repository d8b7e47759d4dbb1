from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from tagtower.config.sections import AudioSettings


@pytest.fixture
def waveform() -> np.ndarray:
    """A third of a second of noise over two tones, at 16 kHz, in [-1, 1]."""
    t = np.arange(5333) / 16000
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, t.size)
    return (noise + 0.4 * np.sin(2 * np.pi * 440 * t) + 0.2 * np.sin(2 * np.pi * 3000 * t)).astype(np.float32)


def windowed_frames(waveform: np.ndarray, audio: AudioSettings) -> np.ndarray:
    """Framing, pre-emphasis and window again, frame by frame in float64."""
    size, hop = int(audio.sample_rate * audio.frame_ms / 1000), int(audio.sample_rate * audio.hop_ms / 1000)
    rows = []
    for start in range(0, len(waveform) - size + 1, hop):
        frame = waveform[start : start + size].astype(np.float64)
        frame = np.append(frame[0] * (1 - audio.preemphasis), frame[1:] - audio.preemphasis * frame[:-1])
        rows.append(frame * scipy.signal.windows.hamming(size, sym=True))
    return np.array(rows)


@pytest.fixture
def frames(waveform: np.ndarray) -> np.ndarray:
    """The windowed frames of `waveform` under the default settings."""
    return windowed_frames(waveform, AudioSettings())
