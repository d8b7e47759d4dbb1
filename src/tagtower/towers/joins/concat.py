"""A join that keeps every frame in a place of its own."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F


class ConcatJoin(nn.Module):
    """The frames one after the other, in as many places as a video has frames at most; places left over are zero."""

    def __init__(self, width: int, frames: int) -> None:
        super().__init__()
        self.frames = frames
        self.width = width * frames

    def forward(
        self, frames: Float[Tensor, "batch frame dim"], mask: Bool[Tensor, "batch frame"]
    ) -> Float[Tensor, "batch wide"]:
        """Return the real frames of each video side by side."""
        count = frames.shape[1]
        assert count <= self.frames, f"{count} frames do not fit into {self.frames} places"
        placed = F.pad(frames.masked_fill(~mask[:, :, None], 0.0), (0, 0, 0, self.frames - count))
        return placed.flatten(1)
