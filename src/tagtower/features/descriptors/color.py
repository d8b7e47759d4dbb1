"""Colour: how much of a frame has which hue, saturation and value, and the moments of its channels."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Float64, UInt8

HUES, SATURATIONS, VALUES = 8, 3, 3
WIDTH = HUES * SATURATIONS * VALUES + 9
PARAMETERS = {"version": 1, "bins": (HUES, SATURATIONS, VALUES), "moments": 3}


def describe(frame: UInt8[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "dim"]:
    """Return the roots of the histogram's shares, which have length one, and the moments in [-1, 1]."""
    return np.concatenate([np.sqrt(hsv_histogram(frame)), color_moments(frame)]).astype(np.float32)


def hsv_histogram(frame: UInt8[np.ndarray, "height width 3"]) -> Float64[np.ndarray, "dim"]:
    """Return the share of pixels in each cell of hue x saturation x value, which sum to one.

    Source: Swain and Ballard 1991, "Color Indexing", section 3.
    """
    counts = np.array([HUES, SATURATIONS, VALUES])
    cells = np.minimum((hsv(frame).reshape(-1, 3) * counts).astype(np.intp), counts - 1)
    flat = np.ravel_multi_index(tuple(cells.T), tuple(counts))
    shares: np.ndarray = np.bincount(flat, minlength=int(counts.prod())) / len(flat)
    return shares


def hsv(frame: UInt8[np.ndarray, "height width 3"]) -> Float64[np.ndarray, "height width 3"]:
    """Return hue (in turns, red is 0), saturation and value of each pixel, in [0, 1]; grey has hue 0.

    Source: Smith 1978, "Color Gamut Transform Pairs", appendix, RGB to HSV.
    """
    rgb = frame / 255.0
    value = rgb.max(-1)
    spread = value - rgb.min(-1)
    safe = np.where(spread == 0, 1.0, spread)
    red, green, blue = np.moveaxis(rgb, -1, 0)
    sixths = np.select(
        [red == value, green == value],
        [(green - blue) / safe, 2.0 + (blue - red) / safe],
        4.0 + (red - green) / safe,
    )
    hue = np.where(spread == 0, 0.0, (sixths / 6.0) % 1.0)
    saturation = np.where(value == 0, 0.0, spread / np.where(value == 0, 1.0, value))
    return np.stack([hue, saturation, value], axis=-1)


def color_moments(frame: UInt8[np.ndarray, "height width 3"]) -> Float64[np.ndarray, "dim"]:
    """Return mean, deviation and the cube root of the third central moment of red, green and blue, in [-1, 1].

    Of RGB and not of HSV, because hue is an angle: the mean of two reds on either side of zero would be cyan.

    Source: Stricker and Orengo 1995, "Similarity of Color Images", section 3.2.
    """
    pixels = frame.reshape(-1, 3) / 255.0
    mean = pixels.mean(0)
    centred = pixels - mean
    return np.concatenate([mean, np.sqrt((centred**2).mean(0)), np.cbrt((centred**3).mean(0))])
