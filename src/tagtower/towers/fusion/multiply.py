"""Fusion by multiplication: the product of the experts that are present, component by component."""

from __future__ import annotations

from typing import final

from jaxtyping import Bool, Float
from torch import Tensor, nn

from tagtower.towers.fusion.hiding import even_weights, hide_modalities


@final
class Multiplication(nn.Module):
    """A component is large where all present experts are; a missing expert is a factor of one.

    Two experts that agree lose their signs in the product, so unlike the other ways of fusing this one does not set
    out from what pretrained text encoders know, and pulls against the experts' own losses: it wants
    `fusion.expert_loss` at or near 0, and data to learn from.

    Source: Kim et al., "Hadamard Product for Low-rank Bilinear Pooling", ICLR 2017, equation 4; the factors' linear
    layers are the experts' heads.
    """

    def __init__(self, *, modality_dropout: float = 0.0) -> None:
        super().__init__()
        self.modality_dropout = modality_dropout

    def forward(
        self, experts: Float[Tensor, "batch modality dim"], present: Bool[Tensor, "batch modality"]
    ) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, "batch modality"]]:
        """Return the product of the present experts, and even weights: each has the same say."""
        present = hide_modalities(present, self.modality_dropout if self.training else 0.0)
        return experts.masked_fill(~present[:, :, None], 1.0).prod(1), even_weights(present)
