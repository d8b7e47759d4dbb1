from __future__ import annotations

import numpy as np
import pytest
import torch

from tagtower.features.pixels import normalize

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def test_agrees_with_the_formula_written_out() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 3, 5, 7, 3), np.uint8)
    expected = np.moveaxis((frames / 255 - MEAN) / STD, -1, -3)
    np.testing.assert_allclose(normalize(torch.from_numpy(frames), MEAN, STD).numpy(), expected, atol=1e-5)


def test_a_single_frame_needs_no_batch() -> None:
    assert normalize(torch.zeros(4, 6, 3, dtype=torch.uint8), MEAN, STD).shape == (3, 4, 6)


def test_a_batch_lies_in_memory_as_convolutions_like_it() -> None:
    pixels = normalize(torch.zeros(2, 4, 6, 3, dtype=torch.uint8), MEAN, STD)
    assert pixels.is_contiguous(memory_format=torch.channels_last)


def test_channels_first_is_refused() -> None:
    with pytest.raises(Exception, match="shape|type"):
        normalize(torch.zeros(2, 3, 4, 6, dtype=torch.uint8), MEAN, STD)
