"""What training tells while it runs, as plain values: the progress display and TensorBoard both listen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from tagtower.training.history import EpochRecord, RoundRecord, StopReason
from tagtower.training.start import StartReport


@dataclass(frozen=True, slots=True)
class HeadsFitted:
    """The heads over pretrained backbones and the gate were fitted in closed form, before the first step."""

    report: StartReport


@dataclass(frozen=True, slots=True)
class RoundMined:
    """A round begins: the library was read and, where the rule looks at distances, negatives were mined."""

    round: RoundRecord
    seconds: float


@dataclass(frozen=True, slots=True)
class StepDone:
    """A step is done, the `step`-th of `steps`, counted from 1.

    `loss` is what was minimised; `active` the share of pairs, in [0, 1], whose loss still sees a negative too
    near; `seconds_left` an estimate for all epochs, in seconds.
    """

    step: int
    steps: int
    epoch: int
    loss: float
    active: float
    gradient_norm: float
    learning_rate: float
    seconds_left: float


@dataclass(frozen=True, slots=True)
class EpochDone:
    """An epoch was trained and validated; epoch 0 is the model before training. `best`: so far."""

    record: EpochRecord
    epochs: int
    best: bool


@dataclass(frozen=True, slots=True)
class CheckpointWritten:
    """Training can go on from here if it is killed."""

    step: int
    path: Path


@dataclass(frozen=True, slots=True)
class Stopped:
    """Training is over after `step` steps: all epochs are done, patience ran out, or someone interrupted it."""

    step: int
    reason: StopReason
    best_epoch: int | None


Event: TypeAlias = HeadsFitted | RoundMined | StepDone | EpochDone | CheckpointWritten | Stopped
Listener: TypeAlias = Callable[[Event], None]
