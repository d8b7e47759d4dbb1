"""What one step minimises: the fused vector's loss, and every expert's own under the gate."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from tagtower.towers import VideoEncoding
from tagtower.training.losses import Loss, LossValue, Targets


@dataclass(frozen=True, slots=True)
class Objective:
    """fused + expert_weight * sum over experts m, mean over pairs, of w_m * loss_m.

    The weight of a present expert is w_m = (g_m + 1/n) / 2, with the gate's weight g_m and n modalities
    present; the weights of a video sum to one. The first half is the mixture's own loss: it sends an expert
    what it answers for, and tells the gate which expert is right. Alone it starves an expert that the gate
    does not trust yet, which then never earns trust; the even half keeps it alive.

    Source: Jacobs, Jordan, Nowlan, Hinton, "Adaptive Mixtures of Local Experts", Neural Computation 3, 1991,
    equation 1.2 (every expert has its own error, under the gate's weight).
    """

    loss: Loss
    expert_weight: float

    def __call__(
        self, encoding: VideoEncoding, tags: Float[Tensor, "tag dim"], targets: Targets
    ) -> tuple[Float[Tensor, ""], LossValue]:
        """Return what to minimise, and the fused vector's part of it."""
        fused = self.loss(encoding.vectors, tags, targets)
        modalities = encoding.present.shape[1]
        if modalities == 1 or self.expert_weight == 0:
            return fused.loss, fused  # a lone expert is the fused vector
        weights = expert_weights(encoding)[targets.videos]
        total = fused.loss
        for column in range(modalities):
            weight = weights[:, column]
            own = self.loss(encoding.experts[:, column], tags, targets, weight)
            # A loss is a mean over its own weights; times their share it is this expert's term of the sum.
            total = total + self.expert_weight * own.loss * weight.mean()
        return total, fused


def expert_weights(encoding: VideoEncoding) -> Float[Tensor, "batch modality"]:
    """Return each present expert's share of its video's expert loss; 0 where absent, a row sums to one."""
    present = encoding.present.to(torch.float32)
    even = present / present.sum(dim=1, keepdim=True)
    return (encoding.weights.float() + even) / 2
