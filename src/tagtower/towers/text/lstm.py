"""A text through an LSTM over its pieces, in both directions; and the LSTM over the windows of a long text."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from transformers import PreTrainedTokenizerBase

from tagtower.towers.masks import masked_mean


class BothWays(nn.Module):
    """An LSTM that reads padded sequences forwards and backwards; padding reaches neither direction.

    Source: Hochreiter and Schmidhuber, "Long Short-Term Memory" (1997); Graves and Schmidhuber, "Framewise phoneme
        classification with bidirectional LSTM" (2005), section 2.
    """

    def __init__(self, width: int, layers: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.lstm = nn.LSTM(
            width,
            width // 2,
            num_layers=layers,
            batch_first=True,
            bidirectional=True,
            dropout=dropout if layers > 1 else 0.0,
        )
        self.width = 2 * (width // 2)

    def forward(
        self, steps: Float[Tensor, "batch step dim"], mask: Bool[Tensor, "batch step"]
    ) -> tuple[Float[Tensor, "batch step out"], Float[Tensor, "batch out"]]:
        """Return the states at every step, and the last state of each direction side by side."""
        packed = pack_padded_sequence(steps, mask.sum(1).cpu(), batch_first=True, enforce_sorted=False)
        states, (last, _) = self.lstm(packed)
        padded, _ = pad_packed_sequence(states, batch_first=True, total_length=steps.shape[1])
        return padded, torch.cat([last[-2], last[-1]], dim=1)


class TextLstm(nn.Module):
    """The mean of the LSTM's states over the pieces (`mean`), or the last state of each direction (`cls`)."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, width: int, layers: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.pieces = nn.Embedding(len(tokenizer), width)
        self.reader = BothWays(width, layers, dropout)
        self.width = self.reader.width

    def forward(
        self, ids: Int64[Tensor, "text token"], mask: Bool[Tensor, "text token"], pool: Literal["cls", "mean"]
    ) -> Float[Tensor, "text dim"]:
        """Return one vector a text."""
        states, last = self.reader(self.pieces(ids), mask)
        return last if pool == "cls" else masked_mean(states, mask)


class WindowLstm(nn.Module):
    """mean(w) + U lstm(w) over the vectors w of a text's windows, with U zero at first.

    So a text of one window answers as its window does, and an untrained encoder of long texts as the mean of theirs.

    Source: Pappagari et al., "Hierarchical Transformers for Long Document Classification" (2019), section 3
        (RoBERT: an LSTM over BERT's vectors of segments).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.reader = BothWays(width)
        self.out = nn.Linear(self.reader.width, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(
        self, windows: Float[Tensor, "batch step dim"], mask: Bool[Tensor, "batch step"]
    ) -> Float[Tensor, "batch dim"]:
        """Return one vector a text."""
        added: Tensor = self.out(self.reader(windows, mask)[1])
        return masked_mean(windows, mask) + added
