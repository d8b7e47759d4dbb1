"""Fusion by a mixture of experts: a gate weighs the modalities that are present, and only those.

Source: Jacobs et al. 1991, "Adaptive Mixtures of Local Experts"; Shazeer et al. 2017, "Outrageously Large Neural
Networks", section 2.1, for the choice of the best k.
"""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from tagtower.towers.fusion.hiding import hide_modalities


@final
class MixtureOfExperts(nn.Module):
    """A gate that looks at all experts' vectors and gives each present modality its weight.

    The gate starts even. With one modality fusion is the identity and there is no gate.
    """

    def __init__(
        self, modalities: int, width: int, *, top_k: int | None = None, modality_dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.top_k = top_k
        self.modality_dropout = modality_dropout
        self.gate: nn.Linear | None = None
        if modalities > 1:
            self.gate = nn.Linear(modalities * (width + 1), modalities)
            nn.init.zeros_(self.gate.weight)
            nn.init.zeros_(self.gate.bias)

    def forward(
        self, experts: Float[Tensor, "batch modality dim"], present: Bool[Tensor, "batch modality"]
    ) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, "batch modality"]]:
        """Return the weighted sum of the experts, and the weights: zero where absent, summing to one.

        In training some present modalities are hidden at random; one always stays.
        """
        present = hide_modalities(present, self.modality_dropout if self.training else 0.0)
        # Zeroed before the gate looks: a missing expert must reach neither the sum nor the weights.
        experts = experts.masked_fill(~present[:, :, None], 0.0)
        weights = self._weights(experts, present)
        return (weights[:, :, None] * experts).sum(1), weights

    def start_from(self, weights: Float[Tensor, "modality"]) -> None:
        """Let the gate begin with these weights, > 0, whatever it sees; those that are present share in their ratio."""
        if self.gate is not None:
            with torch.no_grad():
                self.gate.weight.zero_()
                self.gate.bias.copy_(weights.log())

    def _weights(
        self, experts: Float[Tensor, "batch modality dim"], present: Bool[Tensor, "batch modality"]
    ) -> Float[Tensor, "batch modality"]:
        if self.gate is None:
            return present.to(experts.dtype)
        logits = self.gate(torch.cat([experts.flatten(1), present.to(experts.dtype)], dim=1)).float()
        logits = logits.masked_fill(~present, -torch.inf)
        weights: Tensor = logits.softmax(dim=1)
        if self.top_k is None or self.top_k >= present.shape[1]:
            return weights
        best = torch.zeros_like(present).scatter(1, logits.topk(self.top_k, dim=1).indices, True)
        chosen: Tensor = logits.masked_fill(~best, -torch.inf).softmax(dim=1)
        # Straight-through: a lone chosen expert has weight one whatever its logit, so the choice itself would
        # never learn. The gate takes the gradient of the weights before the choice.
        return chosen.detach() + (weights - weights.detach())
