"""Fusion by concatenation: one linear layer over all experts side by side."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from tagtower.towers.fusion.hiding import even_weights, hide_modalities


@final
class Concatenation(nn.Module):
    """A linear layer over the experts, with zeros for a missing one, and over one indicator of presence for each.

    The indicators tell a missing expert from one whose vector happens to be zero, and let the layer make up for
    what it lacks. It starts as the mean of the experts, so that training sets out from what they know.
    """

    def __init__(self, modalities: int, width: int, *, modality_dropout: float = 0.0) -> None:
        super().__init__()
        self.modality_dropout = modality_dropout
        self.joint: nn.Linear | None = None
        if modalities > 1:
            self.joint = nn.Linear(modalities * (width + 1), width)
            mean = torch.eye(width).repeat(1, modalities) / modalities
            with torch.no_grad():
                self.joint.weight.copy_(torch.cat([mean, torch.zeros(width, modalities)], dim=1))
                self.joint.bias.zero_()

    def forward(
        self, experts: Float[Tensor, "batch modality dim"], present: Bool[Tensor, "batch modality"]
    ) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, "batch modality"]]:
        """Return the layer's answer, and even weights: which expert speaks in it cannot be told apart."""
        present = hide_modalities(present, self.modality_dropout if self.training else 0.0)
        weights = even_weights(present)
        if self.joint is None:
            return experts[:, 0], weights
        heard = experts.masked_fill(~present[:, :, None], 0.0).flatten(1)
        fused: Tensor = self.joint(torch.cat([heard, present.to(heard.dtype)], dim=1))
        return fused.float(), weights
