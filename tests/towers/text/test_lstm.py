"""LSTMs over pieces and over windows: order counts, padding does not, and an untrained join is the mean."""

from __future__ import annotations

import pytest
import torch

from tagtower.features.text import train_wordpiece
from tagtower.towers.masks import masked_mean
from tagtower.towers.text.lstm import BothWays, TextLstm, WindowLstm


def sequences() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.randn(3, 6, 8), torch.arange(6)[None] < torch.tensor([[6], [1], [4]])


def test_each_row_is_read_as_if_alone_in_both_directions() -> None:
    steps, mask = sequences()
    reader = BothWays(8)
    states, last = reader(steps, mask)
    for row, length in enumerate(mask.sum(1).tolist()):
        alone, (ends, _) = reader.lstm(steps[row : row + 1, :length])
        torch.testing.assert_close(states[row, :length], alone[0])
        assert not states[row, length:].any()
        torch.testing.assert_close(last[row], torch.cat([ends[0, 0], ends[1, 0]]))


@pytest.mark.parametrize("layers", [1, 2])
def test_the_last_state_is_that_of_the_top_layer(layers: int) -> None:
    steps, mask = sequences()
    states, last = BothWays(8, layers)(steps[:1], mask[:1])
    torch.testing.assert_close(last[0, :4], states[0, -1, :4])
    torch.testing.assert_close(last[0, 4:], states[0, 0, 4:])


@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_the_order_of_words_counts(pool: str) -> None:
    torch.manual_seed(0)
    network = TextLstm(train_wordpiece(["red fox"], 60), 8)
    ids = torch.tensor([[2, 5, 6, 7, 3], [2, 7, 6, 5, 3]])
    there, back = network(ids, torch.ones_like(ids, dtype=torch.bool), pool)
    assert (there - back).abs().max() > 1e-4


def test_an_untrained_join_of_windows_is_their_mean() -> None:
    steps, mask = sequences()
    torch.testing.assert_close(WindowLstm(8)(steps, mask), masked_mean(steps, mask))


def test_a_trained_join_sees_the_order_of_windows() -> None:
    steps, mask = sequences()
    join = WindowLstm(8)
    torch.nn.init.normal_(join.out.weight)
    assert (join(steps[:1], mask[:1]) - join(steps[:1].flip(1), mask[:1])).abs().max() > 1e-3
