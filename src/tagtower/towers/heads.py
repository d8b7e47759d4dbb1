"""The fully connected layers that bring a modality's feature to the width that all share."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class ProjectionHead(nn.Module):
    """A linear layer plus a residual layer that starts at zero.

    The linear layer starts as the identity where the widths match: an untrained tower over a pretrained text
    backbone then answers exactly as that backbone would, and training sets out from there. The feature is scaled
    to a root mean square of one first, which leaves its direction alone.
    """

    def __init__(self, width: int, shared_width: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, shared_width)
        self.inner = nn.Linear(shared_width, hidden)
        self.outer = nn.Linear(hidden, shared_width)
        nn.init.zeros_(self.linear.bias)
        if width == shared_width:
            nn.init.eye_(self.linear.weight)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, feature: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch shared"]:
        """Return the feature in the shared space, not yet normalised."""
        projected: Tensor = self.linear(self.dropout(scaled(feature)))
        residual: Tensor = self.outer(F.gelu(self.inner(projected)))
        return projected + residual


def scaled(feature: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
    """Return what a head's linear layer sees of a feature: its direction, at a root mean square of one."""
    return F.rms_norm(feature.float(), feature.shape[-1:])


def unit(vectors: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
    """Return the vectors at length one; zero vectors stay zero."""
    return F.normalize(vectors, dim=-1)
