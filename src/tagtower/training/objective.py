"""What one step minimises: the fused vector's loss, and every expert's own under the gate."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from tagtower.config import Settings
from tagtower.towers import VideoEncoding
from tagtower.towers.codes import quantisation
from tagtower.training.losses import Loss, LossValue, Targets, build_loss


@dataclass(frozen=True, slots=True)
class Objective:
    """fused + expert_weight * the mean over pairs of what the experts' own losses L_m come to.

    With the `same` targets for every expert that is the sum over experts m of w_m L_m. With their `own` it is
    -u log(sum over m of w_m exp(-L_m / u)), where u is `unit`: what the likelihood of a mixture costs, each
    expert's gradient weighted by w_m exp(-L_m / u), its share of it. A pair is then asked most of the expert that
    explains it best, and hardly of one that cannot know it: of the tags of a clip its picture learns "red", its
    sound "drums". What no expert explains yet is asked of all alike, so training needs no list of who knows what.

    Relaxed binary codes cost `quantisation` times the mean of (1 - |c|)^2 over videos and tags on top.

    The weight of a present expert is w_m = (g_m + 1/n) / 2, with the gate's weight g_m and n modalities
    present; the weights of a video sum to one. The first half is the mixture's own loss: it sends an expert
    what it answers for, and tells the gate which expert is right. Alone it starves an expert that the gate
    does not trust yet, which then never earns trust; the even half keeps it alive.

    Source: Jacobs, Jordan, Nowlan, Hinton, "Adaptive Mixtures of Local Experts", Neural Computation 3, 1991,
    equation 1.2 (`same`: every expert has its own error, under the gate's weight) and 1.3 (`own`: experts compete
    for each case).
    """

    loss: Loss
    expert_weight: float
    own_targets: bool = False
    unit: float = 1.0
    quantisation: float = 0.0

    def __call__(
        self, encoding: VideoEncoding, tags: Float[Tensor, "tag dim"], targets: Targets
    ) -> tuple[Float[Tensor, ""], LossValue]:
        """Return what to minimise, and the fused vector's part of it."""
        fused = self.loss(encoding.vectors, tags, targets)
        total = fused.loss
        if self.quantisation > 0:
            total = total + self.quantisation * (quantisation(encoding.vectors) + quantisation(tags)) / 2
        modalities = encoding.present.shape[1]
        if modalities == 1 or self.expert_weight == 0:
            return total, fused  # a lone expert is the fused vector
        weights = expert_weights(encoding)[targets.videos]
        values = torch.stack(
            [
                self.loss(encoding.experts[:, column], tags, targets, weights[:, column]).values
                for column in range(modalities)
            ],
            dim=1,
        )
        experts = self._competing(values, weights) if self.own_targets else (weights * values).sum(dim=1)
        return total + self.expert_weight * experts.mean(), fused

    def _competing(
        self, values: Float[Tensor, "pair modality"], weights: Float[Tensor, "pair modality"]
    ) -> Float[Tensor, "pair"]:
        absent = weights == 0
        likelihood = weights.masked_fill(absent, 1.0).log() - values / self.unit
        return -self.unit * likelihood.masked_fill(absent, -torch.inf).logsumexp(dim=1)


def expert_weights(encoding: VideoEncoding) -> Float[Tensor, "batch modality"]:
    """Return each present expert's share of its video's expert loss; 0 where absent, a row sums to one."""
    present = encoding.present.to(torch.float32)
    even = present / present.sum(dim=1, keepdim=True)
    return (encoding.weights.float() + even) / 2


def build_objective(settings: Settings) -> Objective:
    """Return the objective that the settings ask for.

    Losses that are likelihoods count in nats as they are; a hinge counts in margins.
    """
    return Objective(
        build_loss(settings),
        settings.fusion.expert_loss,
        own_targets=settings.fusion.expert_targets == "own",
        unit=settings.loss.margin if settings.loss.name == "triplet" else 1.0,
        quantisation=settings.distance.quantisation if settings.distance.kind == "hamming" else 0.0,
    )
