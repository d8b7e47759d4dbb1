"""The sigmoid loss: every video and tag is a yes-or-no question of its own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from tagtower.training.losses.loss import Targets


@dataclass(frozen=True, slots=True)
class PairwiseSigmoid:
    """-log s(p) - sum over allowed n of log(1 - s(n)), where s is the sigmoid of (boundary - d) / temperature.

    The sum stands once for each video: its pairs share it evenly. `boundary` is the distance at which a tag is as
    likely as not. Scale and boundary are fixed, not learnt: one loss then serves the fused vector and every expert,
    and it stays a function of distances, with nothing of its own to initialise, decay or keep in a checkpoint. What
    a learnt bias is for, that negatives far outnumber positives from the first step on, a boundary between the
    two does as well: under cosine the source's first scale of 10 and bias of -10 are a temperature of 0.1 and a
    boundary of 0.

    Source: Zhai, Mustafa, Kolesnikov, Beyer, "Sigmoid Loss for Language Image Pre-Training", ICCV 2023, equation 2
    (there with one positive a video, and a learnt scale and bias).
    """

    temperature: float
    boundary: float

    def __call__(
        self, distances: Float[Tensor, "video tag"], targets: Targets
    ) -> tuple[Float[Tensor, "pair"], Bool[Tensor, "pair"]]:
        """Each pair's loss in nats; active where some negative is at least as near as the positive.

        Raises:
            ValueError: the targets do not say which tags are allowed as negatives.
        """
        if targets.allowed is None:
            raise ValueError("The sigmoid loss needs to be told which tags are allowed as negatives.")
        logits = (self.boundary - distances) / self.temperature
        positive = logits[targets.videos, targets.positives]
        against = F.softplus(logits).masked_fill(~targets.allowed, 0.0).sum(dim=1)
        pairs = torch.bincount(targets.videos, minlength=len(distances))
        floor = torch.finfo(logits.dtype).min
        nearest = logits.detach().masked_fill(~targets.allowed, floor).amax(dim=1)[targets.videos]
        return F.softplus(-positive) + (against / pairs.clamp(min=1))[targets.videos], nearest >= positive
