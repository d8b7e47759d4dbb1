"""The one resizer: a decoded frame into an upright RGB square, by swscale."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from jaxtyping import UInt8

_LONGEST = 16
"""A scaled frame is at most this many times as long as wide, so that a needle-shaped one costs no memory."""


def upright_square(
    frame: VideoFrame, pixel_shape: Fraction | None, resize: int, crop: int, reformatter: VideoReformatter
) -> UInt8[np.ndarray, "crop crop 3"]:
    """Scale the frame's short side to `resize` pixels, turn it upright, and keep the centre square of side `crop`.

    Pixels that are not square are made so; transparent ones are laid over black.
    """
    width, height = shown_size(frame.width, frame.height, pixel_shape)
    scale = resize / min(width, height)
    width, height = (min(round(side * scale), _LONGEST * resize) for side in (width, height))
    transparent = any(component.is_alpha for component in frame.format.components)
    scaled = reformatter.reformat(
        frame,
        width=width,
        height=height,
        format="rgba" if transparent else "rgb24",
        interpolation=Interpolation.BILINEAR,
        dst_color_range="JPEG",
        threads=1,
    )
    pixels = _turn(scaled.to_ndarray(), _display_matrix(frame))
    top, left = ((side - crop) // 2 for side in pixels.shape[:2])
    square = pixels[top : top + crop, left : left + crop]
    if transparent:
        square = (square[..., :3].astype(np.uint16) * square[..., 3:] // 255).astype(np.uint8)
    return np.ascontiguousarray(square)


def shown_size(width: int, height: int, pixel_shape: Fraction | None) -> tuple[int, int]:
    """Width and height (pixels) of a picture once its pixels are square; shapes beyond 4:1 are taken for damage."""
    if pixel_shape is None or not Fraction(1, 4) <= pixel_shape <= 4:
        return width, height
    return max(1, round(width * pixel_shape)), height


def _display_matrix(frame: VideoFrame) -> np.ndarray | None:
    data = frame.side_data.get(SideDataType.DISPLAYMATRIX)  # type: ignore[call-overload]
    return None if data is None else np.frombuffer(bytes(data), np.int32)


def _turn(pixels: np.ndarray, matrix: np.ndarray | None) -> np.ndarray:
    """Apply a display matrix to the nearest quarter turn and mirroring, as views without copying.

    Source: libavutil/display.h: a point (x, y) is shown at (a x + c y, b x + d y) for a matrix that begins
    a, b, u, c, d.
    """
    if matrix is None or matrix.size < 5:
        return pixels
    a, b, _, c, d = (int(value) for value in matrix[:5])
    if abs(a) + abs(d) >= abs(b) + abs(c):
        mirrored, flipped = a < 0, d < 0
    else:
        pixels = pixels.swapaxes(0, 1)
        mirrored, flipped = c < 0, b < 0
    return pixels[:: -1 if flipped else 1, :: -1 if mirrored else 1]
