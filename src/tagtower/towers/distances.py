"""How far a tag is from a video: each distance is one function, found by name in `DISTANCES`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

Distance: TypeAlias = Callable[[Tensor, Tensor], Tensor]


def cosine(
    left: Float[Tensor, "*batch row dim"], right: Float[Tensor, "*batch column dim"]
) -> Float[Tensor, "*batch row column"]:
    """Return 1 - cosine of every pair, in [0, 2] up to rounding."""
    return 1.0 - F.normalize(left, dim=-1) @ F.normalize(right, dim=-1).mT


def euclidean(
    left: Float[Tensor, "*batch row dim"], right: Float[Tensor, "*batch column dim"]
) -> Float[Tensor, "*batch row column"]:
    """Return the L2 distance of every pair, in [0, inf)."""
    squares = left.square().sum(-1)[..., :, None] + right.square().sum(-1)[..., None, :]
    # The floor keeps the root's gradient finite where two vectors coincide.
    return (squares - 2.0 * left @ right.mT).clamp_min(1e-12).sqrt()


def hamming(
    left: Float[Tensor, "*batch row dim"], right: Float[Tensor, "*batch column dim"]
) -> Float[Tensor, "*batch row column"]:
    """Return the share of bits that differ of every pair, in [0, 1], for codes of -1 and 1.

    For relaxed codes, in (-1, 1), it is the share that would differ on average if each bit were drawn with its
    component as the mean. A share and not a count: margins and temperatures then hang on no width.
    """
    return (1.0 - left @ right.mT / left.shape[-1]) / 2.0


DISTANCES: dict[str, Distance] = {"cosine": cosine, "euclidean": euclidean, "hamming": hamming}
