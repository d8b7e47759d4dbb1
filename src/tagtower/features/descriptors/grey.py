"""Colour to brightness, as the descriptors of shape and texture see a picture."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, UInt8

WEIGHTS = (0.299, 0.587, 0.114)


def brightness(frame: UInt8[np.ndarray, "height width 3"]) -> Float64[np.ndarray, "height width"]:
    """Return the luma of each pixel, in [0, 1].

    Source: ITU-R BT.601, section 2.5.1.
    """
    luma: np.ndarray = frame @ (np.array(WEIGHTS) / 255.0)
    return luma
