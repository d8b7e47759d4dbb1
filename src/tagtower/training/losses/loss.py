"""What every loss takes and gives: pairs of a video and one of its tags, negatives, weights; a mean over pairs.

It works on vectors that are already encoded, so the same loss serves the fused vector and each expert's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tagtower.towers.distances import DISTANCES

NO_NEGATIVE = -1
"""Stands for the negative of a pair that has none: every tag of the library belongs to its video."""


@dataclass(frozen=True, slots=True)
class Targets:
    """The pairs of one step, as rows of its videos and columns of its tags.

    A pair is a video and one of its positive tags; a video may have several. `negatives` holds one mined tag
    for each pair, or `NO_NEGATIVE`. `allowed[video, tag]` says which tags may be held against which video:
    drawn as negatives, and neither the video's own nor an alias of one.
    """

    videos: Int[Tensor, "pair"]
    positives: Int[Tensor, "pair"]
    negatives: Int[Tensor, "pair"] | None = None
    allowed: Bool[Tensor, "video tag"] | None = None


@dataclass(frozen=True, slots=True)
class LossValue:
    """A loss with what it was made of.

    `loss` is the mean over the pairs, weighted, and 0 where no pair has a weight. `values` is each pair's own
    loss, >= 0, and 0 for a pair without weight. Both carry the gradient. `active` is the share of the weight, in
    [0, 1], that lies on active pairs, and carries none.
    """

    loss: Float[Tensor, ""]
    values: Float[Tensor, "pair"]
    active: Float[Tensor, ""]


@runtime_checkable
class PairLoss(Protocol):
    """A loss of distances: each pair's value, and whether the pair is active."""

    def __call__(
        self, distances: Float[Tensor, "video tag"], targets: Targets
    ) -> tuple[Float[Tensor, "pair"], Bool[Tensor, "pair"]]:
        """Each pair's loss, >= 0, and True where some negative still stands too near."""
        ...


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss of vectors: a distance by its name in `DISTANCES`, and what it costs each pair."""

    distance: str
    pair_loss: PairLoss

    def __call__(
        self,
        videos: Float[Tensor, "video width"],
        tags: Float[Tensor, "tag width"],
        targets: Targets,
        weights: Float[Tensor, "pair"] | None = None,
    ) -> LossValue:
        """The weighted mean over the pairs, in float32 even under autocast.

        `weights` are >= 0 and default to 1. Pairs of weight 0 are left out before any distance is taken, so
        the vectors of absent experts may hold anything, NaN included.
        """
        all_weights = (
            torch.ones_like(targets.videos, dtype=torch.float32) if weights is None else weights.float()
        )
        kept = all_weights.nonzero().squeeze(1)
        weight = all_weights[kept]
        rows, pair_rows = torch.unique(targets.videos[kept], return_inverse=True)
        with torch.autocast(videos.device.type, enabled=False):
            distances = DISTANCES[self.distance](videos[rows].float(), tags.float())
            values, active = self.pair_loss(
                distances,
                Targets(
                    videos=pair_rows,
                    positives=targets.positives[kept],
                    negatives=None if targets.negatives is None else targets.negatives[kept],
                    allowed=None if targets.allowed is None else targets.allowed[rows],
                ),
            )
        total = weight.sum().clamp(min=torch.finfo(torch.float32).tiny)
        return LossValue(
            loss=(values * weight).sum() / total,
            values=torch.zeros_like(all_weights).index_copy(0, kept, values),
            active=((active * weight).sum() / total).detach(),
        )
