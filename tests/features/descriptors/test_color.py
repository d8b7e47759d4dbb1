from __future__ import annotations

import colorsys

import numpy as np
from scipy.stats import skew

from tagtower.features.descriptors.color import HUES, SATURATIONS, VALUES, color_moments, hsv, hsv_histogram


def noise(seed: int = 0, height: int = 9, width: int = 7) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_hsv_agrees_with_the_standard_library_pixel_by_pixel() -> None:
    greys = np.repeat(np.arange(0, 256, 5, dtype=np.uint8)[:, None, None], 3, axis=2)
    corners = np.array([[[255 * (n >> bit & 1) for bit in range(3)]] for n in range(8)], np.uint8)
    for frame in (noise(), greys, corners):
        expected = [[colorsys.rgb_to_hsv(*(pixel / 255.0)) for pixel in row] for row in frame]
        np.testing.assert_allclose(hsv(frame), expected, atol=1e-12)


def test_the_histogram_counts_every_pixel_once() -> None:
    frame = noise()
    counts = np.zeros((HUES, SATURATIONS, VALUES))
    for pixel in frame.reshape(-1, 3):
        hue, saturation, value = colorsys.rgb_to_hsv(*(pixel / 255.0))
        counts[
            min(int(hue * HUES), HUES - 1),
            min(int(saturation * SATURATIONS), SATURATIONS - 1),
            min(int(value * VALUES), VALUES - 1),
        ] += 1
    np.testing.assert_allclose(hsv_histogram(frame), counts.ravel() / counts.sum())


def test_moments_are_mean_deviation_and_skew() -> None:
    frame = noise(1)
    pixels = frame.reshape(-1, 3) / 255.0
    mean, deviation, third = color_moments(frame).reshape(3, 3)
    np.testing.assert_allclose(mean, pixels.mean(0))
    np.testing.assert_allclose(deviation, pixels.std(0))
    np.testing.assert_allclose(third, np.cbrt(skew(pixels) * pixels.std(0) ** 3))
