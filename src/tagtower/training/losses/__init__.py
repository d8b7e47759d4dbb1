"""What training minimises: the losses by the names that `loss.name` gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tagtower.config.sections import LossSettings, Settings
from tagtower.training.losses.infonce import InfoNCE
from tagtower.training.losses.loss import NO_NEGATIVE, Loss, LossValue, PairLoss, Targets
from tagtower.training.losses.sigmoid import PairwiseSigmoid
from tagtower.training.losses.softmax import SampledSoftmax
from tagtower.training.losses.triplet import Triplet

LOSSES: Mapping[str, Callable[[LossSettings], PairLoss]] = {
    "triplet": lambda settings: Triplet(settings.margin),
    "softmax": lambda settings: SampledSoftmax(settings.temperature),
    "infonce": lambda settings: InfoNCE(settings.temperature),
    "sigmoid": lambda settings: PairwiseSigmoid(settings.temperature, settings.boundary),
}


def build_loss(settings: Settings) -> Loss:
    """The loss that the settings ask for, on the distance that they ask for."""
    return Loss(settings.distance.kind, LOSSES[settings.loss.name](settings.loss))


__all__ = [
    "LOSSES",
    "NO_NEGATIVE",
    "InfoNCE",
    "Loss",
    "LossValue",
    "PairLoss",
    "PairwiseSigmoid",
    "SampledSoftmax",
    "Targets",
    "Triplet",
    "build_loss",
]
