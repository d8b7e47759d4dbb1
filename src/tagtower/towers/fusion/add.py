"""Fusion by addition: the mean of the experts that are present."""

from __future__ import annotations

from typing import final

from jaxtyping import Bool, Float
from torch import Tensor, nn

from tagtower.towers.fusion.hiding import even_weights, hide_modalities


@final
class Addition(nn.Module):
    """Every present expert with the same weight; a mean, not a sum, so that a missing one shortens nothing."""

    def __init__(self, *, modality_dropout: float = 0.0) -> None:
        super().__init__()
        self.modality_dropout = modality_dropout

    def forward(
        self, experts: Float[Tensor, "batch modality dim"], present: Bool[Tensor, "batch modality"]
    ) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, "batch modality"]]:
        """Return the mean of the present experts, and their even weights."""
        present = hide_modalities(present, self.modality_dropout if self.training else 0.0)
        weights = even_weights(present)
        return (weights[:, :, None] * experts.masked_fill(~present[:, :, None], 0.0)).sum(1), weights
