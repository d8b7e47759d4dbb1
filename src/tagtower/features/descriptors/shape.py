"""Shape: which way edges run in each part of a frame, and the invariant moments of its brightness."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from tagtower.features.descriptors.grey import brightness

CELLS, BLOCK, ORIENTATIONS = 4, 2, 9
"""The grid is of so many cells whatever the size of the frame: it says where in the picture, not at which pixel."""

CLIP = 0.2
EPSILON = 1e-5
SMALLEST_MOMENT = 1e-12

BLOCKS = (CELLS - BLOCK + 1) ** 2
WIDTH = BLOCKS * BLOCK**2 * ORIENTATIONS + 7
PARAMETERS = {"version": 1, "cells": CELLS, "block": BLOCK, "orientations": ORIENTATIONS, "moments": 7}


def describe(frame: UInt8[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "dim"]:
    """Return the histogram of oriented gradients at length one, and Hu's moments on a scale of logarithms."""
    grey = brightness(frame)
    gradients = oriented_gradients(grey) / np.sqrt(BLOCKS)
    return np.concatenate([gradients, log_scale(hu_moments(grey))]).astype(np.float32)


def oriented_gradients(grey: Float64[np.ndarray, "height width"]) -> Float64[np.ndarray, "dim"]:
    """Return for every block of cells its orientations weighted by the gradient, each block at length one.

    Blocks overlap; a block is normalised, clipped and normalised again (L2-Hys).

    Source: Dalal and Triggs 2005, "Histograms of Oriented Gradients for Human Detection", section 6.
    """
    down, right = np.zeros_like(grey), np.zeros_like(grey)
    down[1:-1] = grey[2:] - grey[:-2]
    right[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    strength = np.hypot(down, right)
    turn = np.degrees(np.arctan2(down, right)) % 180.0
    bins = np.minimum((turn * (ORIENTATIONS / 180.0)).astype(np.intp), ORIENTATIONS - 1)

    height, width = (side // CELLS for side in grey.shape)
    rows, columns = np.arange(CELLS * height) // height, np.arange(CELLS * width) // width
    cells = (rows[:, None] * CELLS + columns) * ORIENTATIONS + bins[: len(rows), : len(columns)]
    weights = strength[: len(rows), : len(columns)].ravel()
    histogram = np.bincount(cells.ravel(), weights, minlength=CELLS**2 * ORIENTATIONS) / (height * width)
    grid = histogram.reshape(CELLS, CELLS, ORIENTATIONS)
    places = range(CELLS - BLOCK + 1)
    blocks = [grid[row : row + BLOCK, column : column + BLOCK].ravel() for row in places for column in places]
    return np.concatenate([_unit(np.minimum(_unit(block), CLIP)) for block in blocks])


def hu_moments(grey: Float64[np.ndarray, "height width"]) -> Float64[np.ndarray, "dim"]:
    """Return the seven moments of brightness that shifting, scaling and turning leave alone; zeros where all is black.

    Source: Hu 1962, "Visual Pattern Recognition by Moment Invariants", equations 28 and 29.
    """
    mass = grey.sum()
    if mass == 0:
        return np.zeros(7)
    down, right = np.arange(grey.shape[0], dtype=np.float64), np.arange(grey.shape[1], dtype=np.float64)
    down = down - (grey.sum(1) @ down) / mass
    right = right - (grey.sum(0) @ right) / mass

    def eta(p: int, q: int) -> float:
        return float((down**p) @ grey @ (right**q) / mass ** (1 + (p + q) / 2))

    n20, n02, n11, n30, n03, n21, n12 = (
        eta(*order) for order in ((2, 0), (0, 2), (1, 1), (3, 0), (0, 3), (2, 1), (1, 2))
    )
    a, b = n30 + n12, n21 + n03
    c, d = n30 - 3 * n12, 3 * n21 - n03
    return np.array(
        [
            n20 + n02,
            (n20 - n02) ** 2 + 4 * n11**2,
            c**2 + d**2,
            a**2 + b**2,
            c * a * (a**2 - 3 * b**2) + d * b * (3 * a**2 - b**2),
            (n20 - n02) * (a**2 - b**2) + 4 * n11 * a * b,
            d * a * (a**2 - 3 * b**2) - c * b * (3 * a**2 - b**2),
        ]
    )


def log_scale(moments: Float64[np.ndarray, "dim"]) -> Float64[np.ndarray, "dim"]:
    """Return moments, which spread over ten orders of magnitude, as signed logarithms in about [-1, 1]; 0 stays 0."""
    decades = np.log10(1.0 + np.abs(moments) / SMALLEST_MOMENT)
    scaled: np.ndarray = np.sign(moments) * decades / -np.log10(SMALLEST_MOMENT)
    return scaled


def _unit(block: np.ndarray) -> np.ndarray:
    unit: np.ndarray = block / np.sqrt((block**2).sum() + EPSILON**2)
    return unit
