"""Arithmetic over padded sequences: what stands in the padding never reaches a result."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn
from torch.nn import functional as F


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
    """Return `function` of the real steps, laid out as one list of rows, and zeros in the padding."""
    if bool(mask.all()):  # the common case of equal lengths: gathering would cost more than the function
        rows = function(values.flatten(0, 1))
        return rows.view(*mask.shape, rows.shape[-1])
    rows = function(values[mask])
    out = rows.new_zeros((*mask.shape, rows.shape[-1]))
    out[mask] = rows
    return out


class MaskedBatchNorm(nn.Module):
    """Batch normalisation whose statistics are taken over real steps only; padding comes out as zero."""

    def __init__(self, width: int, *, affine: bool = True) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(width, affine=affine)

    def forward(
        self, values: Float[Tensor, "batch step dim"], mask: Bool[Tensor, "batch step"]
    ) -> Float[Tensor, "batch step dim"]:
        """Return the normalised steps."""
        return on_real(self._normalised, values, mask)

    def _normalised(self, rows: Float[Tensor, "row dim"]) -> Float[Tensor, "row dim"]:
        norm = self.norm
        if self.training and len(rows) == 1:  # a lone step has no variance to be divided by
            return F.batch_norm(
                rows, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
            )
        return norm(rows)  # type: ignore[no-any-return]
