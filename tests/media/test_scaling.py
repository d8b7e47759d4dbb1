from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter

from tagtower.media.scaling import upright_square


def square(frame: av.VideoFrame, resize: int, crop: int, pixel_shape: Fraction | None = None) -> np.ndarray:
    return upright_square(frame, pixel_shape, resize, crop, VideoReformatter())


def rgb(pixels: np.ndarray) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")


def test_the_centre_is_kept() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (64, 100, 3), dtype=np.uint8)
    np.testing.assert_array_equal(square(rgb(pixels), 64, 32), pixels[16:48, 34:66])


def test_the_short_side_is_scaled() -> None:
    stripes = np.zeros((90, 160, 3), np.uint8)
    stripes[:, 35:125] = 255  # what a square of the full height would show
    scaled = square(rgb(stripes), 45, 45)
    assert scaled.shape == (45, 45, 3)
    assert scaled[:, 2:-2].min() > 250


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (3, 2), (17, 31)])
def test_any_size_becomes_a_square(size: tuple[int, int]) -> None:
    assert square(rgb(np.full((*size, 3), 77, np.uint8)), 32, 24).mean() == pytest.approx(77, abs=1)


def test_pixels_that_are_not_square_are_made_so() -> None:
    narrow = np.zeros((64, 64, 3), np.uint8)
    narrow[:, 16:48] = 255
    assert square(rgb(narrow), 64, 60, Fraction(2, 1)).min() > 250
    assert square(rgb(narrow), 64, 60, Fraction(1000, 1)).min() < 5  # taken for damage


def test_transparency_lies_over_black() -> None:
    pixels = np.full((32, 32, 4), 200, np.uint8)
    pixels[:, :16, 3], pixels[:, 16:, 3] = 0, 255
    shown = square(av.VideoFrame.from_ndarray(pixels, format="rgba"), 32, 32)
    assert shown[:, :16].max() == 0
    assert shown[:, 16:].min() == 200


@pytest.mark.parametrize(("pixel_format", "black", "white"), [("yuv420p", 16, 235), ("yuvj420p", 0, 255)])
def test_the_range_of_the_source_is_heeded(pixel_format: str, black: int, white: int) -> None:
    frame = av.VideoFrame(64, 64, pixel_format)
    for plane, value in zip(frame.planes, (white, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    assert square(frame, 64, 64).min() >= 253
    frame.planes[0].update(bytes([black]) * frame.planes[0].buffer_size)
    assert square(frame, 64, 64).max() <= 2
