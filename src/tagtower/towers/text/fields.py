"""The fields of a video's text (title, description, subtitles), each read apart, into one feature."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F


class FieldMixture(nn.Module):
    """u = v_first + sum over the other fields f that are present of g_f v_f, with g_f = w_f . v_f / sqrt(D) + b_f.

    The fields come in the order of `text.fields`, each scaled to a root mean square of one; the first that a video
    has speaks in full. All g start at zero: so training sets out from the title alone where there is one, from the
    description where there is none, and learns how much the others add. An absent field never reaches the sum.

    Source: Jacobs et al., "Adaptive Mixtures of Local Experts" (1991), for gates that look at their experts; zero at
        first as in Bachlechner et al., "ReZero is All You Need" (2021), section 3.
    """

    def __init__(self, fields: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(fields, width))
        self.bias = nn.Parameter(torch.zeros(fields))

    def forward(
        self, fields: Float[Tensor, "batch field dim"], present: Bool[Tensor, "batch field"]
    ) -> Float[Tensor, "batch dim"]:
        """Return one feature a video; each has at least one field."""
        width = fields.shape[-1]
        scaled = F.rms_norm(fields.float(), (width,)).masked_fill(~present[:, :, None], 0.0)
        gates = (scaled * self.weight).sum(-1) / width**0.5 + self.bias
        first = present & (present.cumsum(1) == 1)
        shares = torch.where(first, torch.ones_like(gates), gates).masked_fill(~present, 0.0)
        return (shares[:, :, None] * scaled).sum(1)
