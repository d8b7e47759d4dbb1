"""Where a training stands: all that a checkpoint has to keep beside the weights and the optimiser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tagtower.training.history import EpochMeans, EpochRecord, RoundRecord
from tagtower.training.rounds import Round


@dataclass(frozen=True, slots=True, eq=False)
class Best:
    """The weights of the best epoch so far, and its validation nDCG@10 over the library of that `version`."""

    epoch: int
    score: float
    version: str
    weights: Mapping[str, Tensor]


@dataclass(slots=True)
class TrainingState:
    """How far training has come after `step` steps.

    `training_tags` are the library's names of all tags that a training video had in any round, in the order in
    which they came up. `means` are of the epoch under way, `seconds` what earlier processes spent.
    """

    step: int = 0
    seconds: float = 0.0
    means: EpochMeans = field(default_factory=EpochMeans)
    history: list[EpochRecord] = field(default_factory=list)
    rounds: list[RoundRecord] = field(default_factory=list)
    training_tags: dict[str, None] = field(default_factory=dict)
    best: Best | None = None
    round: Round | None = None

    def enter(self, begun: Round) -> None:
        """Go over to a round that has just begun."""
        self.round = begun
        self.rounds.append(begun.record)
        texts = begun.snapshot.library.texts
        places = torch.unique(begun.snapshot.own.tags).tolist()
        self.training_tags.update(dict.fromkeys(texts[place] for place in places))

    def epochs_without_gain(self) -> int:
        """Epochs validated since the best one."""
        return len(self.history) - 1 - self.best.epoch if self.best is not None else 0
