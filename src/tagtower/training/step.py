"""One step of training: encode a batch and its tags, take the loss, move the weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from tagtower.config import Settings
from tagtower.errors import TrainingError
from tagtower.towers import TwoTower, VideoEncoding
from tagtower.training.batches import TagBatches, VideoBatches
from tagtower.training.mining import build_miner
from tagtower.training.negatives import gather_tags, mine_in_batch, targets_on, weighs_many
from tagtower.training.objective import build_objective
from tagtower.training.optimiser import Optimiser
from tagtower.training.plan import PlannedStep
from tagtower.training.precision import Precision
from tagtower.training.randomness import derived_seed, generator
from tagtower.training.replay import Replay


@dataclass(frozen=True, slots=True)
class StepResult:
    """What was minimised, the share of active pairs in [0, 1], the gradient's norm, and the rate it moved by."""

    loss: float
    active: float
    gradient_norm: float
    learning_rate: float


class Stepper:
    """Trains a model one step at a time; what a step does follows from the weights, the plan and its number."""

    def __init__(
        self, tower: TwoTower, settings: Settings, optimiser: Optimiser, precision: Precision
    ) -> None:
        self._tower = tower
        self._settings = settings
        self._optimiser = optimiser
        self._precision = precision
        self._objective = build_objective(settings)
        self._miner = build_miner(settings)

    def __call__(
        self,
        step: int,
        planned: PlannedStep,
        mined: Int[Tensor, "pair"] | None,
        videos: VideoBatches,
        tags: TagBatches,
        candidates: Int[Tensor, "tag"],
    ) -> StepResult:
        """Take the step whose number, from 0, is `step`; `mined` are negatives over the library, if any.

        `candidates` are the tags that a loss which weighs many may draw from.

        Raises:
            TrainingError: the loss or its gradient is not finite; the weights are left as they were.
        """
        seed = self._settings.train.seed
        device = self._tower.device
        random = generator(seed, "negatives", step)
        chosen = gather_tags(planned, mined, candidates, self._settings, random)
        if not self._tower.training:  # the walk over all modules costs as much as a small step
            self._tower.train()
        parts = self._settings.train.accumulate
        row_parts, tag_parts = torch.arange(len(planned.videos)).chunk(parts), chosen.tags.chunk(parts)

        def encode_videos(part: int) -> tuple[Tensor, ...]:
            rows = row_parts[part]
            batch = videos(planned.videos[rows], planned.draws[rows]).to(device)
            with self._reproducibly("dropout", step, part):
                found = self._tower.encode_videos(batch)
            return found.vectors, found.experts, found.weights, found.present

        def encode_tags(part: int) -> tuple[Tensor, ...]:
            with self._reproducibly("tag dropout", step, part):
                return (self._tower.encode_tags(tags(tag_parts[part])),)

        if parts == 1:
            replays: tuple[Replay, ...] = ()
            encoded, encoded_tags = encode_videos(0), encode_tags(0)
        else:
            replays = (
                Replay.record(self._tower, encode_videos, len(row_parts)),
                Replay.record(self._tower, encode_tags, len(tag_parts)),
            )
            encoded, encoded_tags = (replay.outputs for replay in replays)
        encoding, (tag_vectors,) = VideoEncoding(*encoded), encoded_tags
        targets = chosen.targets
        if targets.negatives is None and targets.allowed is None:
            targets = mine_in_batch(
                chosen,
                encoding.vectors,
                tag_vectors,
                self._miner,
                random,
                self._settings.negatives.rejected,
            )
        loss, fused = self._objective(encoding, tag_vectors, targets_on(targets, device))
        value = loss.item()
        self._check(value, "loss", step)
        torch.autograd.backward(loss)
        for replay in replays:
            replay.backward()
        norm, rate = self._optimiser.step(step)
        self._check(norm, "gradient", step)
        return StepResult(value, float(fused.active), norm, rate)

    @contextmanager
    def _reproducibly(self, purpose: str, *counters: int) -> Iterator[None]:
        """Dropout, of modalities too, draws from torch's global generator."""
        torch.manual_seed(derived_seed(self._settings.train.seed, purpose, *counters))
        with self._precision.autocast():
            yield

    def _check(self, value: float, what: str, step: int) -> None:
        if math.isfinite(value):
            return
        train = self._settings.train
        advice = f"Lower train.learning_rate (now {train.learning_rate:g})"
        if train.backbones == "finetune":
            advice += f" and train.backbone_learning_rate (now {train.backbone_learning_rate:g})"
        if weighs_many(self._settings):
            advice += f", or raise loss.temperature (now {self._settings.loss.temperature:g})"
        if self._precision.bf16:
            advice += ", or set train.precision=fp32"
        raise TrainingError(
            f"Training has diverged: the {what} of step {step + 1} is {value}.", hint=advice + "."
        )
