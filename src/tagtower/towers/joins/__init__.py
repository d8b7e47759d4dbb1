"""How the vectors of a video's frames, in time order, become one; found by name in `JOINS`.

A join is made for frames of a width and for so many of them at most, and says in `width` how wide its answer is. It
sees real frames only through the mask: what stands in the padding never reaches the result.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from tagtower.towers.joins.attention import AttentionJoin
from tagtower.towers.joins.concat import ConcatJoin
from tagtower.towers.joins.pooling import MaxJoin, MeanJoin
from tagtower.towers.joins.recurrent import gru_join, lstm_join

JOINS: dict[str, Callable[[int, int], nn.Module]] = {
    "mean": MeanJoin,
    "max": MaxJoin,
    "attention": AttentionJoin,
    "concat": ConcatJoin,
    "gru": gru_join,
    "lstm": lstm_join,
}
