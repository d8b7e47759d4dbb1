"""Texture: patterns around a pixel, which brightness stands beside which, and a random field fitted to the frame."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8

from tagtower.features.descriptors.grey import brightness

NEIGHBOURS = 8
RADII = (1, 2)

LEVELS = 16
DISTANCES = (1, 3)
DIRECTIONS = ((0, 1), (-1, 1), (-1, 0), (-1, -1))
STATISTICS = 5

FIELD = ((0, 1), (1, 0), (1, 1), (1, -1), (0, 2), (2, 0))
"""One of each pair of neighbours that lie opposite each other, as (down, right): the third-order neighbourhood."""

RIDGE = 1e-6
"""Keeps the fit of a picture without texture solvable; brightness lies in [0, 1]."""

WIDTH = len(RADII) * (NEIGHBOURS + 2) + len(DISTANCES) * STATISTICS * 2 + len(FIELD) + 1
PARAMETERS = {
    "version": 1,
    "patterns": (NEIGHBOURS, RADII),
    "co-occurrence": (LEVELS, DISTANCES, DIRECTIONS),
    "field": (FIELD, RIDGE),
}


def describe(frame: UInt8[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "dim"]:
    """Return the roots of the patterns' shares, the co-occurrence statistics and the field's parameters."""
    grey = brightness(frame)
    whole = np.rint(grey * 255.0).astype(np.int64)
    patterns = [np.sqrt(binary_patterns(whole, radius)) for radius in RADII]
    beside = [_over_directions(whole * LEVELS // 256, distance) for distance in DISTANCES]
    return np.concatenate([*patterns, *beside, random_field(grey)]).astype(np.float32)


def binary_patterns(grey: Int64[np.ndarray, "height width"], radius: int) -> Float64[np.ndarray, "dim"]:
    """Return the share of each uniform pattern, which sum to one: so many of eight neighbours are no darker.

    The neighbours lie on a circle. The last one counts the pixels whose neighbours change more than twice on
    the way round. Pixels nearer to the edge than `radius` have no circle and are left out.

    Source: Ojala et al. 2002, "Multiresolution Gray-Scale and Rotation Invariant Texture Classification with Local
        Binary Patterns", equations 9 and 10.
    """
    height, width = (side - 2 * radius for side in grey.shape)
    centre = grey[radius : radius + height, radius : radius + width]
    turns = 2 * np.pi * np.arange(NEIGHBOURS) / NEIGHBOURS
    inside = []
    for down, right in zip(
        np.round(-radius * np.sin(turns), 5), np.round(radius * np.cos(turns), 5), strict=True
    ):
        top, left = int(np.floor(down)), int(np.floor(right))
        lower, later = down - top, right - left
        seen = np.zeros(centre.shape)
        for row, row_share in ((top, 1 - lower), (top + 1, lower)):
            for column, column_share in ((left, 1 - later), (left + 1, later)):
                if row_share * column_share > 0:
                    rows = slice(radius + row, radius + row + height)
                    columns = slice(radius + column, radius + column + width)
                    seen += row_share * column_share * grey[rows, columns]
        # The shares sum to one only up to rounding, and where a picture is flat the comparison is a tie.
        inside.append(seen >= centre - 1e-7)
    ring = np.stack(inside)
    changes = (ring != np.roll(ring, 1, axis=0)).sum(0)
    pattern = np.where(changes <= 2, ring.sum(0), NEIGHBOURS + 1)
    shares: np.ndarray = np.bincount(pattern.ravel(), minlength=NEIGHBOURS + 2) / pattern.size
    return shares


def co_occurrence(
    levels: Int64[np.ndarray, "height width"], down: int, right: int
) -> Float64[np.ndarray, "level level"]:
    """Return how often each level stands `down` and `right` of each other, or the other way round; sums to one.

    Source: Haralick et al. 1973, "Textural Features for Image Classification", section II.
    """
    height, width = levels.shape
    here = levels[max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)]
    there = levels[max(0, down) : height - max(0, -down), max(0, right) : width - max(0, -right)]
    counts = np.bincount((here * LEVELS + there).ravel(), minlength=LEVELS**2).reshape(LEVELS, LEVELS)
    shares: np.ndarray = (counts + counts.T) / (2 * counts.sum())
    return shares


def co_occurrence_statistics(shares: Float64[np.ndarray, "level level"]) -> Float64[np.ndarray, "dim"]:
    """Return contrast, homogeneity, energy, correlation and entropy, each scaled to [0, 1], correlation in [-1, 1].

    A picture of one level has correlation 1.

    Source: Haralick et al. 1973, appendix I, 1 to 3, 5 and 9; energy is the root of the angular second moment.
    """
    row, column = np.indices(shares.shape)
    apart = (row - column) ** 2
    mean = (shares * row).sum()
    variance = (shares * (row - mean) ** 2).sum()
    covariance = (shares * (row - mean) * (column - mean)).sum()
    surprise = -np.log(shares, where=shares > 0, out=np.zeros_like(shares))
    return np.array(
        [
            (shares * apart).sum() / (LEVELS - 1) ** 2,
            (shares / (1 + apart)).sum(),
            np.sqrt((shares**2).sum()),
            covariance / variance if variance > 1e-12 else 1.0,
            (shares * surprise).sum() / np.log(LEVELS**2),
        ]
    )


def random_field(grey: Float64[np.ndarray, "height width"]) -> Float64[np.ndarray, "dim"]:
    """Return the weights by which opposite neighbours foretell a pixel, and the deviation of what they do not foretell.

    A Gaussian Markov random field: g(s) = sum over r of w_r (g(s + r) + g(s - r)) + e(s), fitted by least squares to
    the brightness around its mean.

    Source: Chellappa and Chatterjee 1985, "Classification of Textures Using Gaussian Markov Random Fields", section
        II.
    """
    reach = max(max(abs(down), abs(right)) for down, right in FIELD)
    centred = grey - grey.mean()
    height, width = (side - 2 * reach for side in grey.shape)

    def moved(down: int, right: int) -> np.ndarray:
        rows = slice(reach + down, reach + down + height)
        return np.ravel(centred[rows, reach + right : reach + right + width])

    pairs = np.stack([moved(down, right) + moved(-down, -right) for down, right in FIELD])
    middle = moved(0, 0)
    products = pairs @ pairs.T / middle.size + RIDGE * np.eye(len(FIELD))
    weights = np.linalg.solve(products, pairs @ middle / middle.size)
    rest = middle - weights @ pairs
    return np.append(weights, np.sqrt((rest**2).mean()))


def _over_directions(levels: np.ndarray, distance: int) -> np.ndarray:
    """Mean and range over the directions, so that turning a picture by a quarter changes nothing."""
    found = np.stack(
        [
            co_occurrence_statistics(co_occurrence(levels, down * distance, right * distance))
            for down, right in DIRECTIONS
        ]
    )
    return np.concatenate([found.mean(0), np.ptp(found, axis=0)])
