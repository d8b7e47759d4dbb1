"""Flat shapes as signed distances: negative inside, positive outside, in units of the shape's radius.

A distance instead of a mask lets one formula give a soft edge, an outline and a shadow at any size.
Source: Quilez, "2D distance functions", https://iquilezles.org/articles/distfunctions2d.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from jaxtyping import Float32

Plane: TypeAlias = Float32[np.ndarray, "height width"]


def circle(x: Plane, y: Plane) -> Plane:
    """Signed distance to a disc."""
    return np.asarray(np.hypot(x, y) - 0.9, np.float32)


def ring(x: Plane, y: Plane) -> Plane:
    """Signed distance to a disc with a hole."""
    return np.asarray(np.abs(np.hypot(x, y) - 0.72) - 0.24, np.float32)


def square(x: Plane, y: Plane) -> Plane:
    """Signed distance to a square with rounded corners."""
    across, down = np.abs(x) - 0.70, np.abs(y) - 0.70
    outside = np.hypot(np.maximum(across, 0), np.maximum(down, 0))
    return np.asarray(outside + np.minimum(np.maximum(across, down), 0) - 0.10, np.float32)


def triangle(x: Plane, y: Plane) -> Plane:
    """Signed distance to an equilateral triangle that points up."""
    turns = [2 * math.pi * i / 3 for i in range(3)]
    corners = [(0.95 * math.sin(turn), 0.18 - 0.95 * math.cos(turn)) for turn in turns]
    return _polygon(x, y, corners, rounding=0.10)


def star(x: Plane, y: Plane) -> Plane:
    """Signed distance to a star with five points."""
    tips = [(0.98 if i % 2 == 0 else 0.46, math.pi * i / 5) for i in range(10)]
    corners = [(reach * math.sin(turn), 0.05 - reach * math.cos(turn)) for reach, turn in tips]
    return _polygon(x, y, corners, rounding=0.06)


def heart(x: Plane, y: Plane) -> Plane:
    """Signed distance to a heart."""
    across, up = np.abs(x) / 1.6, (0.82 - y) / 1.6
    lobe = np.hypot(across - 0.25, up - 0.75) - math.sqrt(2.0) / 4.0
    half = 0.5 * np.maximum(across + up, 0.0)
    tip = np.sqrt(np.minimum(across**2 + (up - 1.0) ** 2, (across - half) ** 2 + (up - half) ** 2))
    body = tip * np.sign(across - up)
    return np.asarray(np.where(across + up > 1.0, lobe, body) * 1.6 - 0.03, np.float32)


SHAPES: dict[str, Callable[[Plane, Plane], Plane]] = {
    "circle": circle,
    "ring": ring,
    "square": square,
    "triangle": triangle,
    "star": star,
    "heart": heart,
}
"""Every shape by the name of its tag."""


def _polygon(x: Plane, y: Plane, corners: list[tuple[float, float]], rounding: float) -> Plane:
    """Signed distance to a polygon: to its nearest edge, with a sign that follows from the edges crossed."""
    nearest = np.full(x.shape, np.inf, np.float32)
    inside = np.zeros(x.shape, bool)
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        edge_x, edge_y = x1 - x0, y1 - y0
        along = np.clip(((x - x0) * edge_x + (y - y0) * edge_y) / (edge_x**2 + edge_y**2), 0.0, 1.0)
        nearest = np.minimum(nearest, np.hypot(x - x0 - along * edge_x, y - y0 - along * edge_y))
        spans = (y0 > y) != (y1 > y)
        if edge_y:
            inside ^= spans & (x < x0 + (y - y0) * edge_x / edge_y)
    return np.asarray(np.where(inside, -nearest, nearest) - rounding, np.float32)
