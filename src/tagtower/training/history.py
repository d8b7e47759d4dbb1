"""What happened in training, epoch by epoch and round by round, as plain values that JSON can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from tagtower.evaluation.metrics import Metrics
from tagtower.records import Modality
from tagtower.training.mining import BandSizes, MiningReport

StopReason: TypeAlias = Literal["finished", "patience", "interrupted"]


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """An epoch and the validation after it; epoch 0 is the model before training and has no loss.

    `loss` and `active` are means over the epoch's steps. `weights` is the gate's mean weight of each modality
    over the validation videos that have it; `gate_entropy` the mean evenness of the weights, in [0, 1], over
    those with more than one modality. `library` is the version validated on, `seconds` the time since the
    start of training.
    """

    epoch: int
    step: int
    loss: float | None
    active: float | None
    metrics: Metrics
    weights: Mapping[Modality, float | None]
    gate_entropy: float | None
    library: str
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return plain values; metrics under the names of `evaluate --json`."""
        return {**asdict(self), "metrics": self.metrics.to_json()}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> EpochRecord:
        """Return what `to_json` gave."""
        metrics = {name.replace("@", "_at_"): value for name, value in values["metrics"].items()}
        return EpochRecord(**{**values, "metrics": Metrics(**metrics)})


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """A round: the library it read, how many training videos had a tag in it, and how mining went.

    `mining` is None where negatives are not mined by round: under every loss but `triplet`, and in the scope of the
    batch.
    """

    number: int
    step: int
    library: str
    tags: int
    videos: int
    mining: MiningReport | None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> RoundRecord:
        """Return what `to_json` gave."""
        mining = values["mining"]
        if mining is not None:
            mining = MiningReport(**{**mining, "band": BandSizes(**mining["band"])})
        return RoundRecord(**{**values, "mining": mining})


@dataclass(slots=True)
class EpochMeans:
    """Sums over the steps of an epoch under way."""

    steps: int = 0
    loss: float = 0.0
    active: float = 0.0

    def add(self, loss: float, active: float) -> None:
        """Take in a step."""
        self.steps += 1
        self.loss += loss
        self.active += active

    def means(self) -> tuple[float | None, float | None]:
        """Return mean loss and mean active share; None before the first step."""
        if not self.steps:
            return None, None
        return self.loss / self.steps, self.active / self.steps


@dataclass(frozen=True, slots=True)
class FitResult:
    """A finished training. `best` is the epoch whose weights the model now has; 0 is the model before training.

    `training_tags` are the tags, by the library's names, that a training video had in any round.
    """

    best: EpochRecord
    history: tuple[EpochRecord, ...]
    rounds: tuple[RoundRecord, ...]
    training_tags: tuple[str, ...]
    stopped: StopReason
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as `metrics.json` of a model folder keeps them."""
        return {
            "best_epoch": self.best.epoch,
            "validation": self.best.metrics.to_json(),
            "stopped": self.stopped,
            "seconds": self.seconds,
            "history": [record.to_json() for record in self.history],
            "rounds": [record.to_json() for record in self.rounds],
        }
