"""Which modalities of a video take part in fusion: those that it has, less some that training hides."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def hide_modalities(
    present: Bool[Tensor, "batch modality"], probability: float
) -> Bool[Tensor, "batch modality"]:
    """Return `present` with each true entry cleared at `probability`; every row keeps at least one.

    Draws from torch's global generator, and only where `probability` is above 0.
    """
    if probability <= 0:
        return present
    draws = torch.rand(present.shape, device=present.device)
    kept = present & (draws >= probability)
    survivor = draws.masked_fill(~present, -1.0).argmax(dim=1, keepdim=True)
    return kept.scatter(1, survivor, True)


def even_weights(present: Bool[Tensor, "batch modality"]) -> Float[Tensor, "batch modality"]:
    """Return the same weight for each present modality of a video: 0 where missing, a row sums to one."""
    voices = present.to(torch.float32)
    return voices / voices.sum(dim=1, keepdim=True)
