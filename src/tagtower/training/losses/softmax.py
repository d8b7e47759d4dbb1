"""The sampled softmax: each positive against many tags at once, of which none belongs to the video."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from tagtower.training.losses.loss import Targets


@dataclass(frozen=True, slots=True)
class SampledSoftmax:
    """-log(e^p / (e^p + sum over allowed n of e^n)) for each positive, where a logit is -d / temperature.

    A video with several positives has one term for each; its other positives stand in no denominator. So the
    loss does not push a video's tags away from one another.

    Source: Oord, Li, Vinyals, "Representation Learning with Contrastive Predictive Coding", 2018, eq. 4; several
    positives as in Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020, eq. 2, less the positives
    of its denominator.
    """

    temperature: float

    def __call__(
        self, distances: Float[Tensor, "video tag"], targets: Targets
    ) -> tuple[Float[Tensor, "pair"], Bool[Tensor, "pair"]]:
        """Each pair's loss in nats; active where some negative is at least as near as the positive.

        Raises:
            ValueError: the targets do not say which tags are allowed as negatives.
        """
        if targets.allowed is None:
            raise ValueError("The softmax needs to be told which tags are allowed as negatives.")
        logits = -distances / self.temperature
        positive = logits[targets.videos, targets.positives]
        # A finite floor, not -inf: a row without a single allowed tag would have no gradient but NaN.
        negatives = logits.masked_fill(~targets.allowed, torch.finfo(logits.dtype).min)
        # The denominators of a video's pairs differ in the positive alone, so the rest is summed once a video.
        against = negatives.logsumexp(dim=1)[targets.videos]
        nearest = negatives.detach().amax(dim=1)[targets.videos]
        return F.softplus(against - positive), nearest >= positive
