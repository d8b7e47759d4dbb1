"""Vectors as binary codes: their signs once trained, and a smooth stand-in for the signs while training."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def binary(vectors: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
    """Return the sign of every component, in {-1, 1}; a zero counts as positive."""
    return torch.where(vectors >= 0, 1.0, -1.0)


def relaxed(vectors: Float[Tensor, "*batch dim"], sharpness: float) -> Float[Tensor, "*batch dim"]:
    """Return tanh(sharpness * v) in (-1, 1), with v scaled to a root mean square of one first.

    The scale is taken out so that one sharpness suits any network. It stays as it is over a training, where the
    source raises it step by step towards the sign: a step then depends on nothing but the weights, and what is left
    between the two is closed by `quantisation`.

    Source: Cao, Long, Wang, Yu, "HashNet: Deep Learning to Hash by Continuation", ICCV 2017, section 3.2.
    """
    return torch.tanh(sharpness * math.sqrt(vectors.shape[-1]) * F.normalize(vectors.float(), dim=-1))


def quantisation(codes: Float[Tensor, "*batch dim"]) -> Float[Tensor, ""]:
    """Return the mean of (1 - |c|)^2 over the components of relaxed codes, in [0, 1]: 0 where each is -1 or 1.

    Source: Liu, Wang, Shan, Chen, "Deep Supervised Hashing for Fast Image Retrieval", CVPR 2016, equation 3, with
    the square in place of the absolute value.
    """
    return (1.0 - codes.abs()).square().mean()
