"""Joins that read the frames one after the other and keep what they remember at the end."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from tagtower.towers.masks import masked_mean

INNER = 256
"""At most this many numbers are remembered from frame to frame."""


class _RecurrentJoin(nn.Module):
    """The mean plus what a recurrent network knows after the last frame, which adds nothing to begin with."""

    def __init__(self, network: nn.GRU | nn.LSTM, width: int) -> None:
        super().__init__()
        self.width = width
        self.network = network
        self.out = nn.Linear(network.hidden_size, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(
        self, frames: Float[Tensor, "batch frame dim"], mask: Bool[Tensor, "batch frame"]
    ) -> Float[Tensor, "batch dim"]:
        """Return one vector a video; depends on the order of the frames."""
        packed = pack_padded_sequence(frames, mask.sum(1).cpu(), batch_first=True, enforce_sorted=False)
        _, state = self.network(packed)
        last = (state[0] if isinstance(state, tuple) else state)[-1]
        added: Tensor = self.out(last)
        return masked_mean(frames, mask) + added


def gru_join(width: int, frames: int) -> nn.Module:
    """Return a join by gated recurrent units.

    Source: Cho et al. 2014, "Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine
        Translation", section 2.3.
    """
    return _RecurrentJoin(nn.GRU(width, min(width, INNER), batch_first=True), width)


def lstm_join(width: int, frames: int) -> nn.Module:
    """Return a join by long short-term memory.

    Source: Hochreiter and Schmidhuber 1997, "Long Short-Term Memory"; Ng et al. 2015, "Beyond Short Snippets: Deep
        Networks for Video Classification", section 3.2, for its use over the features of frames.
    """
    return _RecurrentJoin(nn.LSTM(width, min(width, INNER), batch_first=True), width)
