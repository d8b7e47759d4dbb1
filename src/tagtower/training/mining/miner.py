"""What every miner takes and gives: pairs of a video and a positive tag in, one negative for each pair out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tagtower.training.mining.own import OwnTags
from tagtower.training.mining.report import MiningReport


@dataclass(frozen=True, slots=True)
class Mined:
    """The tag drawn for each pair, or `NO_NEGATIVE` where every tag belongs to the video; and how it went."""

    negatives: Int[Tensor, "pair"]
    report: MiningReport


@runtime_checkable
class Miner(Protocol):
    """A rule that draws negatives among the tags it is shown: a whole library, or the tags of a batch."""

    def __call__(
        self,
        videos: Float[Tensor, "video width"],
        tags: Float[Tensor, "tag width"],
        pairs: Int[Tensor, "pair 2"],
        own: OwnTags,
        generator: torch.Generator,
    ) -> Mined:
        """One negative for each pair (row of `videos`, row of `tags`), none of them the video's own.

        The answer depends on the arguments and on nothing else. A rule that draws takes one number from `generator`
        (a CPU generator on any device) for each pair, in the order of the pairs.

        Raises:
            TrainingError: a vector holds NaN or infinity.
        """
        ...
