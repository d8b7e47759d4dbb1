"""A text through convolutions over its pieces, of which each filter's strongest answer is kept."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedTokenizerBase

from tagtower.towers.masks import masked_max

SPANS = (3, 4, 5)
"""Pieces that a filter sees at a time."""


class TextCnn(nn.Module):
    """c = max over t of relu(W x[t : t + h] + b), for filters of h = 3, 4 and 5 pieces, side by side.

    Texts are padded with zeros at both ends, so that a tag of one word has an answer of every filter. `pool` has no
    meaning.

    Source: Kim, "Convolutional Neural Networks for Sentence Classification" (2014), section 2; dropout on c is that
        of the head.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, width: int) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.width = width
        self.pieces = nn.Embedding(len(tokenizer), width)
        filters = [width // len(SPANS)] * (len(SPANS) - 1)
        filters.append(width - sum(filters))
        self.convolutions = nn.ModuleList(
            nn.Conv1d(width, count, span) for count, span in zip(filters, SPANS, strict=True)
        )

    def forward(
        self, ids: Int64[Tensor, "text token"], mask: Bool[Tensor, "text token"], pool: Literal["cls", "mean"]
    ) -> Float[Tensor, "text dim"]:
        """Return one vector a text, each entry at least 0."""
        pieces = self.pieces(ids).masked_fill(~mask[:, :, None], 0.0).mT
        found = []
        for convolution, span in zip(self.convolutions, SPANS, strict=True):
            answers = F.relu(convolution(F.pad(pieces, (span - 1, span - 1)))).mT
            # Only places where the filter touches a piece: the others depend on the neighbours' lengths.
            places = torch.arange(answers.shape[1], device=mask.device)
            found.append(masked_max(answers, places < mask.sum(1, keepdim=True) + span - 1))
        return torch.cat(found, dim=1)
