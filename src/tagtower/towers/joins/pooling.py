"""Joins that are blind to the order of frames."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor, nn

from tagtower.towers.masks import masked_max, masked_mean


class MeanJoin(nn.Module):
    """The mean over the frames; blind to their order."""

    def __init__(self, width: int, frames: int) -> None:
        super().__init__()
        self.width = width

    def forward(
        self, frames: Float[Tensor, "batch frame dim"], mask: Bool[Tensor, "batch frame"]
    ) -> Float[Tensor, "batch dim"]:
        """Return the mean of the real frames."""
        return masked_mean(frames, mask)


class MaxJoin(nn.Module):
    """The largest value of each dimension over the frames; blind to their order."""

    def __init__(self, width: int, frames: int) -> None:
        super().__init__()
        self.width = width

    def forward(
        self, frames: Float[Tensor, "batch frame dim"], mask: Bool[Tensor, "batch frame"]
    ) -> Float[Tensor, "batch dim"]:
        """Return the maximum over the real frames."""
        return masked_max(frames, mask)
