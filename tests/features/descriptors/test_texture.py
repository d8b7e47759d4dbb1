from __future__ import annotations

import numpy as np
import pytest
from skimage.feature import graycomatrix, graycoprops, local_binary_pattern

from tagtower.features.descriptors.texture import (
    DIRECTIONS,
    FIELD,
    LEVELS,
    NEIGHBOURS,
    binary_patterns,
    co_occurrence,
    co_occurrence_statistics,
    random_field,
)


def noise(top: int = 256, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, top, (40, 30))


@pytest.mark.parametrize("radius", [1, 2])
def test_binary_patterns_agree_with_scikit_image(radius: int) -> None:
    grey = noise()
    inner = local_binary_pattern(grey, NEIGHBOURS, radius, "uniform")[radius:-radius, radius:-radius]
    expected = np.bincount(inner.astype(int).ravel(), minlength=NEIGHBOURS + 2) / inner.size
    np.testing.assert_allclose(binary_patterns(grey, radius), expected)


def test_a_flat_picture_has_one_pattern() -> None:
    for level in (0, 77, 100, 255):
        assert binary_patterns(np.full((12, 12), level), 2)[NEIGHBOURS] == 1


@pytest.mark.parametrize("distance", [1, 3])
@pytest.mark.parametrize("step", DIRECTIONS)
def test_co_occurrence_agrees_with_scikit_image(step: tuple[int, int], distance: int) -> None:
    levels = noise(LEVELS)
    steps = (step[0] * distance, step[1] * distance)
    shares = co_occurrence(levels, *steps)
    expected = np.zeros((LEVELS, LEVELS))
    for row in range(levels.shape[0]):
        for column in range(levels.shape[1]):
            down, right = row + steps[0], column + steps[1]
            if 0 <= down < levels.shape[0] and 0 <= right < levels.shape[1]:
                expected[levels[row, column], levels[down, right]] += 1
                expected[levels[down, right], levels[row, column]] += 1
    np.testing.assert_allclose(shares, expected / expected.sum())
    if distance == 1:  # at other distances scikit-image rounds a diagonal step to the circle
        theirs = graycomatrix(
            levels.astype(np.uint8), [1], [np.arctan2(*step)], LEVELS, symmetric=True, normed=True
        )
        np.testing.assert_allclose(shares, theirs[:, :, 0, 0])


def test_statistics_agree_with_scikit_image() -> None:
    shares = co_occurrence(np.minimum(noise(LEVELS), noise(LEVELS, 1)), 0, 1)
    theirs = shares[:, :, None, None]
    expected = [
        graycoprops(theirs, name)[0, 0] for name in ("contrast", "homogeneity", "energy", "correlation")
    ]
    contrast, homogeneity, energy, correlation, entropy = co_occurrence_statistics(shares)
    np.testing.assert_allclose(
        [contrast * (LEVELS - 1) ** 2, homogeneity, energy, correlation], expected, rtol=1e-9
    )
    some = shares[shares > 0]
    assert entropy == pytest.approx(-(some * np.log(some)).sum() / np.log(LEVELS**2))


def test_a_picture_of_one_level_has_no_contrast() -> None:
    found = co_occurrence_statistics(co_occurrence(np.full((8, 8), 3), 1, 0))
    np.testing.assert_allclose(found, [0, 1, 1, 1, 0])


def test_the_field_is_the_least_squares_fit_pixel_by_pixel() -> None:
    grey = np.random.default_rng(0).random((20, 16))
    centred = grey - grey.mean()
    rows, values = [], []
    for row in range(2, 18):
        for column in range(2, 14):
            rows.append(
                [
                    centred[row + down, column + right] + centred[row - down, column - right]
                    for down, right in FIELD
                ]
            )
            values.append(centred[row, column])
    expected, *_ = np.linalg.lstsq(np.array(rows), np.array(values), rcond=None)
    *weights, deviation = random_field(grey)
    np.testing.assert_allclose(weights, expected, atol=1e-4)
    assert deviation == pytest.approx(np.sqrt(((np.array(values) - rows @ expected) ** 2).mean()))


def test_the_field_tells_in_which_direction_a_texture_runs() -> None:
    draw = np.random.default_rng(0)
    across = np.repeat(draw.random((64, 1)), 64, axis=1) + 0.05 * draw.random((64, 64))
    right, down = random_field(across)[:2]
    assert right > down + 0.1
    right, down = random_field(np.ascontiguousarray(across.T))[:2]
    assert down > right + 0.1
