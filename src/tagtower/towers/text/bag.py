"""A text as the bag of its pieces: how often each occurs, as it is (`bow`) or against how common it is (`tfidf`).

Terms are WordPiece pieces, so that a word that was never seen counts by its parts instead of being lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedTokenizerBase

from tagtower.features.text import tokenize

UNBOUNDED = 100_000
"""Tokens of a text that count towards how common a piece is: all of them."""


class BagOfPieces(nn.Module):
    """x(text) E: the sparse vector x of a text's pieces through one linear layer E, a row a piece.

    With tf the number of times that a piece occurs in the text, n the number of texts learnt from and df of those
    that hold the piece:

        bow:   x = tf
        tfidf: x = tf * idf / |tf * idf|,  idf = ln((1 + n) / (1 + df)) + 1

    Special tokens and unknown characters count nothing. E starts out random, so that the product of two texts is
    that of their bags, nearly: an untrained tower already finds shared words. The order of words is lost, and
    `pool` has no meaning.

    Source: Salton and Buckley, "Term-weighting approaches in automatic text retrieval" (1988), section 3, with
        scikit-learn's smoothing of idf; Johnson and Lindenstrauss (1984) for what random rows keep.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, width: int, kind: Literal["bow", "tfidf"]) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.width = width
        self.kind = kind
        self.idf: Tensor
        self.register_buffer("idf", torch.ones(len(tokenizer)))
        self.idf[tokenizer.all_special_ids] = 0.0
        self.rows = nn.Parameter(torch.randn(len(tokenizer), width) / width**0.5)

    def learn(self, texts: Sequence[str]) -> BagOfPieces:
        """Take from `texts` how common each piece is, where the kind weighs by that; returns the bag itself."""
        if self.kind == "tfidf":
            holding = torch.zeros(len(self.idf), dtype=torch.int64)
            for ids in tokenize(self.tokenizer, texts, UNBOUNDED):
                holding[np.unique(ids)] += 1
            real = self.idf > 0
            idf = ((1 + len(texts)) / (1 + holding)).log() + 1
            self.idf.copy_(idf.where(real, 0.0))
        return self

    def weights(
        self, ids: Int64[Tensor, "text token"], mask: Bool[Tensor, "text token"]
    ) -> Float[Tensor, "text token"]:
        """Return each token's share of x: over all tokens of one piece in a text these sum to its entry of x."""
        weights = self.idf[ids].masked_fill(~mask, 0.0)
        if self.kind == "bow":
            return weights
        # Every occurrence adds tf * idf^2 to the square of the norm, so that a piece adds (tf * idf)^2.
        times = ((ids[:, :, None] == ids[:, None, :]) & mask[:, None, :]).sum(2)
        norms = (times * weights.square()).sum(1, keepdim=True).sqrt()
        return weights / norms.clamp_min(torch.finfo(weights.dtype).tiny)

    def forward(
        self, ids: Int64[Tensor, "text token"], mask: Bool[Tensor, "text token"], pool: Literal["cls", "mean"]
    ) -> Float[Tensor, "text dim"]:
        """Return one vector a text; zero for one without a piece that counts."""
        weights = self.weights(ids, mask)
        return F.embedding_bag(ids, self.rows, per_sample_weights=weights, mode="sum")
