"""Draws the pictures of a demo clip: one coloured shape over a soft landscape, moving or changing in one way.

Colour and shape can be read off any one frame; the motion only off the order of frames, because every motion
is another one played backwards.
"""

from __future__ import annotations

import colorsys
import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Float32, UInt8

from tagtower.usecases.demo_corpus.shapes import SHAPES

Colour: TypeAlias = Float32[np.ndarray, "3"]
Picture: TypeAlias = Float32[np.ndarray, "height width 3"]

WIDTH, HEIGHT = 192, 144

COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.985, 0.85, 0.90),
    "orange": (0.075, 0.85, 0.98),
    "yellow": (0.148, 0.80, 0.99),
    "green": (0.370, 0.75, 0.66),
    "blue": (0.600, 0.82, 0.92),
    "purple": (0.765, 0.68, 0.74),
    "pink": (0.915, 0.40, 1.00),
    "black": (0.640, 0.20, 0.13),
}
"""Hue, saturation and value, each in [0, 1], by the name of the tag."""

MOTIONS: dict[str, tuple[str, bool]] = {
    "growing": ("size", False),
    "shrinking": ("size", True),
    "rising": ("height", False),
    "falling": ("height", True),
    "day to night": ("light", False),
    "night to day": ("light", True),
}
"""What changes in the course of the clip, and whether it is played backwards, by the name of the tag."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What the pictures of a clip show; clips of one `backdrop` are set in the same landscape."""

    colour: str
    shape: str
    motion: str
    backdrop: int


@dataclass(frozen=True, slots=True)
class Course:
    """Where the shape is, frame by frame: positions and radius in half heights, light from 0 (night) to 1;
    `tilt` in radians.
    """

    x: Float[np.ndarray, "frame"]
    y: Float[np.ndarray, "frame"]
    radius: Float[np.ndarray, "frame"]
    light: Float[np.ndarray, "frame"]
    tilt: Float[np.ndarray, "frame"]


def draw(scene: Scene, frames: int, rng: np.random.Generator) -> UInt8[np.ndarray, "frame height width 3"]:
    """The pictures of `scene`, RGB; all that the scene leaves open (place, size, hills, grain) comes from `rng`."""
    course = plot(scene.motion, frames, rng)
    day, dusk, night = _landscape(scene.backdrop)
    paint = _paint(scene.colour, rng)
    grain = rng.uniform(2.0, 6.0) / 255
    pictures = np.empty((frames, HEIGHT, WIDTH, 3), np.uint8)
    for i in range(frames):
        light = np.float32(course.light[i])
        picture = light**2 * day + 2 * light * (1 - light) * dusk + (1 - light) ** 2 * night
        dimmed = paint * (np.float32(0.75) + np.float32(0.25) * light)
        _stick(picture, scene.shape, dimmed, course, i)
        picture += rng.standard_normal((HEIGHT, WIDTH, 1), np.float32) * np.float32(grain)
        pictures[i] = np.clip(picture * 255 + 0.5, 0, 255)
    return pictures


def plot(motion: str, frames: int, rng: np.random.Generator) -> Course:
    """The course of a shape under `motion`; whatever has no tag drifts to and fro as `rng` has it."""
    changing, backwards = MOTIONS[motion]
    time = np.linspace(0.0, 1.0, frames)
    passed = time + rng.uniform(-0.6, 0.6) * np.sin(2 * np.pi * time) / (2 * np.pi)
    if backwards:
        passed = 1.0 - passed

    def drift(reach: float) -> Float[np.ndarray, "frame"]:
        """One or two whole waves in [-reach, reach], so that nothing drifts one way like a motion that has a tag."""
        return reach * np.sin(2 * np.pi * (rng.integers(1, 3) * time + rng.uniform()))

    radius = rng.uniform(0.46, 0.62) * (1 + drift(0.12))
    light = np.full(frames, rng.uniform(0.1, 1.0))
    if changing == "size":
        radius = rng.uniform(0.26, 0.34) + passed * rng.uniform(0.38, 0.46)
    # A square crop keeps the centre square of a frame, so the shape stays inside it.
    room = 0.96 - radius
    x, y = room * drift(1.0), room * (rng.uniform(-0.6, 0.6) + drift(0.4))
    if changing == "height":
        y = room * (rng.uniform(0.85, 1.0) - passed * rng.uniform(1.75, 1.95))
    if changing == "light":
        light = rng.uniform(0.88, 1.0) - passed * rng.uniform(0.82, 0.88)
    return Course(x=x, y=y, radius=radius, light=light, tilt=drift(0.3))


def _grid() -> tuple[Float32[np.ndarray, "height width"], Float32[np.ndarray, "height width"]]:
    """x and y of every pixel in half heights, the middle of the picture being the origin."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    return (x - (WIDTH - 1) / 2) / (HEIGHT / 2), (y - (HEIGHT - 1) / 2) / (HEIGHT / 2)


_X, _Y = _grid()


def _rgb(hue: float, saturation: float, value: float) -> Colour:
    return np.asarray(colorsys.hsv_to_rgb(hue % 1.0, saturation, value), np.float32)


def _paint(colour: str, rng: np.random.Generator) -> Colour:
    hue, saturation, value = COLOURS[colour]
    return _rgb(
        hue + rng.uniform(-0.015, 0.015),
        saturation * rng.uniform(0.9, 1.08),
        min(1.0, value * rng.uniform(0.9, 1.05)),
    )


def _landscape(backdrop: int) -> tuple[Picture, Picture, Picture]:
    """One landscape by day, at dusk and by night: a sky with blurs of light, and two rows of hills."""
    rng = np.random.default_rng(backdrop)
    hue = rng.uniform()
    fade = ((_Y + 1) / 2)[..., None]
    day = _rgb(hue, 0.30, 0.93) * (1 - fade) + _rgb(hue + 0.08, 0.10, 0.99) * fade
    dusk = _rgb(0.72, 0.42, 0.62) * (1 - fade) + _rgb(0.05, 0.48, 1.0) * fade
    night = _rgb(0.64, 0.62, 0.18) * (1 - fade) + _rgb(hue + 0.6, 0.40, 0.36) * fade
    for _ in range(rng.integers(3, 7)):
        away = np.hypot(_X - rng.uniform(-1.3, 1.3), _Y - rng.uniform(-1.0, 0.4)) / rng.uniform(0.25, 0.6)
        blur = np.exp(-(away**2))[..., None] * np.float32(rng.uniform(0.02, 0.08))
        day, dusk, night = day + blur, dusk + blur, night + blur * np.float32(0.6)
    for _ in range(rng.integers(12, 28)):
        down, across = rng.integers(0, HEIGHT // 2), rng.integers(0, WIDTH)
        night[down, across] += np.float32(rng.uniform(0.25, 0.6))
    for row in range(2):
        crest = np.full_like(_X, rng.uniform(0.30, 0.50) + 0.26 * row)
        for waves in (rng.uniform(0.8, 1.6), rng.uniform(2.0, 3.5)):
            crest += rng.uniform(0.03, 0.10) / waves * np.sin(waves * _X * 2 + rng.uniform(0, 6))
        hill = np.clip((_Y - crest) * HEIGHT / 2 + 0.5, 0, 1)[..., None]
        tint = hue + rng.uniform(-0.1, 0.1)
        day += hill * (_rgb(tint, 0.26 + 0.10 * row, 0.80 - 0.12 * row) - day)
        dusk += hill * (_rgb(0.80 + 0.3 * (tint - hue), 0.36, 0.56 - 0.14 * row) - dusk)
        night += hill * (_rgb(tint + 0.5, 0.35, 0.24 - 0.07 * row) - night)
    return day, dusk, night


def _stick(picture: Picture, shape: str, paint: Colour, course: Course, frame: int) -> None:
    """Put a shape on `picture` like a sticker: a soft shadow, a pale outline, a body with light from above."""
    # Python's floats: NumPy's own would turn every float32 array below into float64.
    place = float(course.x[frame]), float(course.y[frame])
    radius, tilt = float(course.radius[frame]), float(course.tilt[frame])
    reach = 1.2 * radius + 0.2
    rows = slice(*np.searchsorted(_Y[:, 0], (place[1] - reach, place[1] + reach)))
    columns = slice(*np.searchsorted(_X[0], (place[0] - reach, place[0] + reach)))
    x, y = (_X[rows, columns] - place[0]) / radius, (_Y[rows, columns] - place[1]) / radius
    cos, sin = math.cos(tilt), math.sin(tilt)

    def cover(
        grown: float, softness: float, right: float = 0.0, down: float = 0.0
    ) -> Float32[np.ndarray, "height width 1"]:
        """How much of each pixel lies in the shape once it has grown and moved, lengths in half heights."""
        across, below = x - right / radius, y - down / radius
        away = SHAPES[shape](across * cos + below * sin, below * cos - across * sin) * radius
        return np.clip(0.5 - (away - grown) / softness, 0, 1)[..., None]

    patch = picture[rows, columns]
    patch *= 1 - np.float32(0.28) * cover(0.0, 0.12, right=0.03, down=0.06)
    patch += cover(0.06, 2 / HEIGHT) * (np.float32(0.86) + np.float32(0.12) * paint - patch)
    gloss = 1.06 - np.float32(0.16) * np.clip(y, -1, 1)[..., None]
    patch += cover(0.0, 2 / HEIGHT) * (paint * gloss - patch)
