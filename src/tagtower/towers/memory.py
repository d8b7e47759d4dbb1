"""A learned vector for each tag of the training videos, added to what the words of the tag say.

Knows tags by their normal form alone; that form is made by the library, and handed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

NONE = -1
"""The row of a tag that has no vector."""


class TagMemory(nn.Module):
    """v(tag) = t(words) + m(tag), where m is a free vector for a known tag and zero for any other.

    Words alone cannot say that "pet" beside "sounds" means a record. All vectors start at zero, so that an untrained
    memory changes nothing; and in training each is left out at a rate of `dropout`, so that the words alone still
    answer and unseen tags live in the same space.

    Source: Volkovs, Yu, Poutanen, "DropoutNet: Addressing Cold Start in Recommender Systems", NeurIPS 2017,
        section 4.1, for hiding the learned half of an item in training.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.names: tuple[str, ...] = ()
        self.vectors = nn.Parameter(torch.zeros(0, width))
        self._rows: dict[str, int] = {}

    def grow(self, names: Iterable[str]) -> None:
        """Give a vector, zero at first, to each tag of `names` (normal forms) that has none; the others stay.

        The parameter is a new one then: an optimiser has to follow it.
        """
        new = tuple(name for name in dict.fromkeys(names) if name not in self._rows)
        if not new:
            return
        self.names += new
        self._rows = {name: row for row, name in enumerate(self.names)}
        old = self.vectors
        self.vectors = nn.Parameter(
            torch.cat([old.detach(), old.new_zeros(len(new), old.shape[1])]), requires_grad=old.requires_grad
        )

    def rows(self, names: Sequence[str]) -> Int64[Tensor, "tag"]:
        """Return the row of each tag, by its normal form; `NONE` where it has no vector."""
        return torch.tensor([self._rows.get(name, NONE) for name in names], dtype=torch.int64)

    def forward(
        self, words: Float[Tensor, "tag dim"], rows: Int64[Tensor, "tag"]
    ) -> Float[Tensor, "tag dim"]:
        """Return the vectors of tags from what their words say; in training some memories are left out."""
        known = rows != NONE
        if self.training and self.dropout > 0:
            known = known & (torch.rand(rows.shape, device=rows.device) >= self.dropout)
        if not len(self.vectors):
            return words
        remembered = nn.functional.embedding(rows.clamp_min(0), self.vectors)
        return words + remembered.masked_fill(~known[:, None], 0.0)
