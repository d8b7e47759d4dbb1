from __future__ import annotations

import numpy as np
import pytest
import pywt
import torch

from tagtower.config.sections import AudioSettings
from tagtower.features.spectra.dwt import Dwt, wavelet_bands


@pytest.mark.parametrize("samples", [16, 17, 40, 399, 400])
@pytest.mark.parametrize("levels", [1, 2])
def test_the_bands_agree_with_pywavelets(samples: int, levels: int) -> None:
    rows = np.random.default_rng(0).normal(size=(3, samples))
    low, *highs = pywt.wavedec(rows, "db2", mode="zero", level=levels, axis=1)
    found = wavelet_bands(torch.from_numpy(rows), levels)
    for ours, theirs in zip(found, [*reversed(highs), low], strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-12)


def test_what_comes_back_is_the_energy_of_each_band(waveform: np.ndarray, frames: np.ndarray) -> None:
    low, *highs = pywt.wavedec(frames, "db2", mode="zero", level=6, axis=1)
    energies = [np.mean(band**2, axis=1) for band in [*reversed(highs), low]]
    expected = np.log(np.maximum(np.stack(energies, axis=1), 2.0**-23))
    dwt = Dwt(AudioSettings())
    assert dwt.width == 7
    np.testing.assert_allclose(dwt(torch.from_numpy(waveform)).numpy(), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("rate", "frame_ms", "bands"), [(4000, 10, 4), (16000, 16, 7), (96000, 100, 12)])
def test_there_are_as_many_octaves_as_a_frame_has_room_for(rate: int, frame_ms: float, bands: int) -> None:
    settings = AudioSettings(sample_rate=rate, frame_ms=frame_ms)
    assert Dwt(settings).width == bands
    assert Dwt(settings)(torch.zeros(rate)).shape[1] == bands
