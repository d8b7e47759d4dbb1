from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
import torch

from tagtower.config.sections import AudioSettings
from tagtower.features.spectra.dct import Dct, dct_ii


def test_agrees_with_scipy(waveform: np.ndarray, frames: np.ndarray) -> None:
    expected = np.log(np.maximum(scipy.fft.dct(frames, type=2, norm="ortho") ** 2, 2.0**-23))
    dct = Dct(AudioSettings())
    assert expected.shape[1] == dct.width == 400
    np.testing.assert_allclose(dct(torch.from_numpy(waveform)).numpy(), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("samples", [1, 2, 7, 40, 441])
def test_frames_of_any_length(samples: int) -> None:
    rows = np.random.default_rng(0).normal(size=(3, samples))
    expected = scipy.fft.dct(rows, type=2, norm="ortho")
    np.testing.assert_allclose(dct_ii(torch.from_numpy(rows)).numpy(), expected, atol=1e-12)
