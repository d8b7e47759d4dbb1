from __future__ import annotations

from typing import Literal

import kaldi_native_fbank as knf
import numpy as np
import pytest
import torch

from tagtower.config.sections import AudioSettings
from tagtower.features.spectra.mel import LogMel


@pytest.mark.parametrize("spectrum", ["power", "magnitude"])
def test_agrees_with_kaldi(waveform: np.ndarray, spectrum: Literal["power", "magnitude"]) -> None:
    options = knf.FbankOptions()
    frame = options.frame_opts
    frame.dither, frame.remove_dc_offset, frame.window_type = 0.0, False, "hamming"
    options.mel_opts.num_bins, options.use_power = 64, spectrum == "power"
    oracle = knf.OnlineFbank(options)
    oracle.accept_waveform(16000, waveform.tolist())
    oracle.input_finished()
    expected = np.stack([oracle.get_frame(step) for step in range(oracle.num_frames_ready)])
    mel = LogMel(AudioSettings(spectrum=spectrum))
    assert expected.shape[1] == mel.width
    np.testing.assert_allclose(mel(torch.from_numpy(waveform)).numpy(), expected, atol=1e-4, rtol=0)
