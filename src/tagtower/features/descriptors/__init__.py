"""Descriptors of a picture that need no weights: each family is one function of an RGB frame, found by name.

Every part of a vector is brought to a length of about one, so that no part drowns another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from tagtower.features.descriptors import color, shape, texture

Describe = Callable[[UInt8[np.ndarray, "height width 3"]], Float32[np.ndarray, "dim"]]


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A family: the function, how many numbers it gives, and the parameters that it depends on."""

    describe: Describe
    width: int
    parameters: Mapping[str, Any]


DESCRIPTORS: dict[str, Descriptor] = {
    "color": Descriptor(color.describe, color.WIDTH, color.PARAMETERS),
    "shape": Descriptor(shape.describe, shape.WIDTH, shape.PARAMETERS),
    "texture": Descriptor(texture.describe, texture.WIDTH, texture.PARAMETERS),
}
