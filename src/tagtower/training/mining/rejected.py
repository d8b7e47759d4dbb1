"""Tags that somebody found wrong for a video: the negatives that are sure to be wrong."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from tagtower.training.mining.own import OwnTags


def prefer_rejected(
    negatives: Int[Tensor, "pair"],
    videos: Int[Tensor, "pair"],
    rejected: OwnTags,
    share: float,
    generator: torch.Generator,
) -> Int[Tensor, "pair"]:
    """Return the negatives of pairs, with chance `share` one of the rejected tags of a pair's video in their place.

    Which of several is drawn evenly. Where no video has any, nothing is drawn from `generator`, so that training
    without rejected tags is what it was.

    Args:
        videos: rows of `rejected`, one for each pair.
    """
    if not len(rejected.tags) or share == 0:
        return negatives
    chance, which = torch.rand(2, len(negatives), generator=generator, dtype=torch.float64).to(
        negatives.device
    )
    counts = rejected.counts[videos]
    entry = rejected.offsets[videos] + torch.floor(which * counts).long()
    drawn = rejected.tags[entry.clamp(max=len(rejected.tags) - 1)]
    return torch.where((counts > 0) & (chance < share), drawn, negatives)
