"""The triplet loss: a positive must be nearer than its negative by a margin."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tagtower.training.losses.loss import NO_NEGATIVE, Targets


@dataclass(frozen=True, slots=True)
class Triplet:
    """max(0, d(a,p) - d(a,n) + m), with the margin m in units of the distance.

    Source: Schroff, Kalenichenko, Philbin, "FaceNet", CVPR 2015, section 3.1 (there with squared distances).
    """

    margin: float

    def __call__(
        self, distances: Float[Tensor, "video tag"], targets: Targets
    ) -> tuple[Float[Tensor, "pair"], Bool[Tensor, "pair"]]:
        """Each pair's hinge, 0 for a pair without a negative; active where the hinge is above 0.

        Raises:
            ValueError: the targets carry no mined negatives.
        """
        if targets.negatives is None:
            raise ValueError("The triplet loss needs one mined negative for each pair.")
        positive = distances[targets.videos, targets.positives]
        negative = distances[targets.videos, targets.negatives.clamp(min=0)]
        hinge = torch.relu(positive - negative + self.margin)
        hinge = hinge.masked_fill(targets.negatives == NO_NEGATIVE, 0.0)
        return hinge, hinge > 0
