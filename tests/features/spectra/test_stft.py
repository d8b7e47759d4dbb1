from __future__ import annotations

import numpy as np
import torch

from tagtower.config.sections import AudioSettings
from tagtower.features.spectra.stft import Stft


def test_agrees_with_numpy(waveform: np.ndarray, frames: np.ndarray) -> None:
    expected = np.log(np.maximum(np.abs(np.fft.rfft(frames, 512)) ** 2, 2.0**-23))
    stft = Stft(AudioSettings())
    assert expected.shape[1] == stft.width == 257
    np.testing.assert_allclose(stft(torch.from_numpy(waveform)).numpy(), expected, atol=1e-5, rtol=0)
