"""Convolutions over pieces: the slow sum, and no trace of padding."""

from __future__ import annotations

import torch

from tagtower.features.text import train_wordpiece
from tagtower.towers.text.cnn import SPANS, TextCnn


def test_agrees_with_a_loop_over_filters_and_places() -> None:
    torch.manual_seed(0)
    network = TextCnn(train_wordpiece(["red fox"], 60), 7)
    ids = torch.tensor([[2, 5, 9, 6, 3]])
    (found,) = network(ids, torch.ones_like(ids, dtype=torch.bool), "mean")
    pieces = network.pieces(ids)[0].tolist()
    expected = []
    for convolution, span in zip(network.convolutions, SPANS, strict=True):
        nothing = [[0.0] * 7] * (span - 1)
        padded = torch.tensor([*nothing, *pieces, *nothing])
        for weight, bias in zip(convolution.weight, convolution.bias, strict=True):
            places = [padded[start : start + span] for start in range(len(padded) - span + 1)]
            expected.append(max(max(0.0, ((place * weight.T).sum() + bias).item()) for place in places))
    torch.testing.assert_close(found, torch.tensor(expected))
    assert len(found) == network.width == 7


def test_padding_leaves_no_trace() -> None:
    torch.manual_seed(0)
    network = TextCnn(train_wordpiece(["red fox"], 60), 12)
    for convolution in network.convolutions:
        torch.nn.init.constant_(convolution.bias, 1.0)  # the answer to nothing at all is large
    ids = torch.tensor([[2, 5, 3]])
    alone = network(ids, torch.ones_like(ids, dtype=torch.bool), "mean")
    padded = torch.cat([ids, torch.full((1, 9), 7)], dim=1)
    mask = torch.arange(12)[None] < 3
    torch.testing.assert_close(network(padded, mask, "mean"), alone)
