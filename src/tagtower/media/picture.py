"""A frame as a JPEG file, small enough to stand inside a page."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from jaxtyping import UInt8


def encode_jpeg(frame: UInt8[np.ndarray, "height width 3"]) -> bytes:
    """Return an RGB frame as JPEG bytes; an odd last row or column is cut off."""
    height, width = (side - side % 2 for side in frame.shape[:2])
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame[:height, :width]), format="rgb24")
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height = width, height
    encoder.pix_fmt = "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"qscale": "4"}
    return b"".join(bytes(packet) for one in (picture, None) for packet in encoder.encode(one))
