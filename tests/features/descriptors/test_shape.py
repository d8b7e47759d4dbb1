from __future__ import annotations

import numpy as np
import pytest
from skimage.feature import hog
from skimage.measure import moments_central, moments_hu, moments_normalized

from tagtower.features.descriptors.grey import brightness
from tagtower.features.descriptors.shape import (
    BLOCK,
    CELLS,
    ORIENTATIONS,
    describe,
    hu_moments,
    log_scale,
    oriented_gradients,
)


def picture(seed: int = 0, side: int = 64) -> np.ndarray:
    """Smooth blobs: brightness in [0, 1]."""
    down, right = np.mgrid[:side, :side] / side
    draw = np.random.default_rng(seed)
    blobs = (
        np.exp(-((down - y) ** 2 + (right - x) ** 2) / (0.01 + 0.05 * size))
        for y, x, size in draw.random((5, 3))
    )
    grey = sum(blobs)
    return np.asarray(grey / grey.max())


@pytest.mark.parametrize("side", [32, 63, 96])
def test_oriented_gradients_agree_with_scikit_image(side: int) -> None:
    grey = picture(side=side)
    whole = grey[: side // CELLS * CELLS, : side // CELLS * CELLS]
    expected = hog(
        whole,
        orientations=ORIENTATIONS,
        pixels_per_cell=(side // CELLS,) * 2,
        cells_per_block=(BLOCK, BLOCK),
        block_norm="L2-Hys",
    )
    np.testing.assert_allclose(oriented_gradients(whole), expected, atol=1e-6)


def test_edges_that_run_the_other_way_are_told_apart() -> None:
    stripes = np.repeat((np.arange(64) % 8 < 3).astype(float)[:, None], 64, axis=1)
    across, along = oriented_gradients(stripes), oriented_gradients(stripes.T)
    assert across @ along < 0.2 * (across @ across)


def test_hu_moments_agree_with_scikit_image() -> None:
    grey = picture(1)
    expected = moments_hu(moments_normalized(moments_central(grey)))
    np.testing.assert_allclose(hu_moments(grey), expected, rtol=1e-8)


def test_hu_moments_do_not_see_where_and_how_a_shape_lies() -> None:
    grey = np.zeros((60, 80))
    grey[10:30, 20:26] = grey[24:30, 20:50] = 0.8
    for other in (np.roll(grey, (17, 9), (0, 1)), np.rot90(grey), np.flipud(np.fliplr(grey))):
        np.testing.assert_allclose(hu_moments(other), hu_moments(grey), rtol=1e-9, atol=1e-15)
    mirrored = hu_moments(np.fliplr(grey))
    np.testing.assert_allclose(mirrored[:6], hu_moments(grey)[:6], rtol=1e-9)
    assert mirrored[6] == pytest.approx(-hu_moments(grey)[6])


def test_logarithms_keep_sign_order_and_zero() -> None:
    moments = np.array([-1e-2, -1e-8, 0.0, 1e-9, 1e-3, 1.0])
    scaled = log_scale(moments)
    assert (np.diff(scaled) > 0).all()
    assert scaled[2] == 0
    assert np.abs(scaled).max() == pytest.approx(1.0)


def test_a_black_frame_has_no_shape() -> None:
    assert not describe(np.zeros((16, 16, 3), np.uint8)).any()


def test_brightness_of_white_is_one() -> None:
    np.testing.assert_allclose(brightness(np.full((2, 2, 3), 255, np.uint8)), 1.0)
