"""InfoNCE in the batch, both ways: each video against the batch's tags, and each tag against the batch's videos."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from tagtower.training.losses.loss import Targets


@dataclass(frozen=True, slots=True)
class InfoNCE:
    """Half of -log(e^p / (e^p + sum over n of e^n)) each way, where a logit is -d / temperature.

    One way n runs over the tags that may be held against the pair's video, the other way over the videos that the
    pair's tag may be held against. A tag that belongs to several videos of the batch pushes none of them away, and
    a video with several tags none of these: each pair has its own two terms.

    Source: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021,
    figure 3 (both ways, in the batch); Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020, equation 2
    (several positives), less the positives of its denominator.
    """

    temperature: float

    def __call__(
        self, distances: Float[Tensor, "video tag"], targets: Targets
    ) -> tuple[Float[Tensor, "pair"], Bool[Tensor, "pair"]]:
        """Each pair's loss in nats; active where a wrong tag is as near to the video, or a wrong video to the tag.

        Raises:
            ValueError: the targets do not say which tags are allowed as negatives.
        """
        if targets.allowed is None:
            raise ValueError("InfoNCE needs to be told which tags are allowed as negatives.")
        logits = -distances / self.temperature
        positive = logits[targets.videos, targets.positives]
        # A finite floor, not -inf: a row or column without a single negative would have no gradient but NaN.
        negatives = logits.masked_fill(~targets.allowed, torch.finfo(logits.dtype).min)
        tags = negatives.logsumexp(dim=1)[targets.videos]
        videos = negatives.logsumexp(dim=0)[targets.positives]
        seen = negatives.detach()
        outranked = (seen[targets.videos] >= positive[:, None]).any(dim=1)
        outranked |= (seen[:, targets.positives] >= positive).any(dim=0)
        return (F.softplus(tags - positive) + F.softplus(videos - positive)) / 2, outranked
