"""A join that weighs frames by what they show and by when."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from tagtower.towers.masks import masked_mean


class AttentionJoin(nn.Module):
    """The mean plus what several heads add, each of which weighs frames by content and by place in time.

    Heads start out looking at successive stretches of the video, so that first and last are told apart from the
    first step on; their sum starts at zero, so that an untrained join is the mean.

    Source: Vaswani et al. 2017, "Attention Is All You Need", section 3.2, with one learned query a head.
    """

    def __init__(self, width: int, frames: int, heads: int = 4, inner: int = 256) -> None:
        super().__init__()
        self.width = width
        head_width = max(1, min(width, inner) // heads)
        self.scores = nn.Linear(width, heads)
        self.values = nn.Linear(width, heads * head_width)
        self.out = nn.Linear(heads * head_width, width)
        self.centres = nn.Parameter(torch.linspace(0.0, 1.0, heads))
        self.sharpness = nn.Parameter(torch.full((heads,), float(2 * heads)))
        nn.init.zeros_(self.scores.weight)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(
        self, frames: Float[Tensor, "batch frame dim"], mask: Bool[Tensor, "batch frame"]
    ) -> Float[Tensor, "batch dim"]:
        """Return one vector a video; depends on the order of the frames."""
        batch, count, _ = frames.shape
        # Place in time is relative, so that a head means the same in a video of 8 frames and of 32.
        last = (mask.sum(1, keepdim=True) - 1).clamp_min(1)
        place = torch.arange(count, device=frames.device) / last
        distance = place[:, :, None] - self.centres
        scores = self.scores(frames) - self.sharpness * distance.square()
        weights = scores.masked_fill(~mask[:, :, None], -torch.inf).softmax(dim=1)
        values = self.values(frames.masked_fill(~mask[:, :, None], 0.0))
        heads = values.view(batch, count, weights.shape[-1], -1)
        seen = torch.einsum("bth,bthd->bhd", weights, heads).flatten(1)
        added: Tensor = self.out(seen)
        return masked_mean(frames, mask) + added
