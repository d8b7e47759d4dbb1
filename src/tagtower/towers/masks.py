"""Arithmetic over padded sequences: what stands in the padding never reaches a result."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor


def masked_mean(
    values: Float[Tensor, "batch step dim"], mask: Bool[Tensor, "batch step"]
) -> Float[Tensor, "batch dim"]:
    """Return the mean over the steps where `mask` is true; every row has one such step."""
    total = values.masked_fill(~mask[:, :, None], 0.0).sum(1)
    return total / mask.sum(1, keepdim=True)


def masked_max(
    values: Float[Tensor, "batch step dim"], mask: Bool[Tensor, "batch step"]
) -> Float[Tensor, "batch dim"]:
    """Return the maximum over the steps where `mask` is true; every row has one such step."""
    return values.masked_fill(~mask[:, :, None], -torch.inf).amax(1)


def on_real(
    function: Callable[[Tensor], Tensor],
    values: Shaped[Tensor, "batch step ..."],
    mask: Bool[Tensor, "batch step"],
) -> Float[Tensor, "batch step dim"]:
    """Return `function` of the real steps, laid out as one list of rows, and zeros in the padding.

    Whatever takes statistics over its rows (batch normalisation) so sees no padding, and none is computed.
    """
    rows = function(values[mask])
    out = rows.new_zeros((*mask.shape, rows.shape[-1]))
    out[mask] = rows
    return out
