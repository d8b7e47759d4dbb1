"""The training loop: rounds, steps, validation, checkpoints, and when to stop."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from tagtower.config import Settings
from tagtower.errors import TrainingError
from tagtower.towers import TagMemory, TwoTower
from tagtower.training.batches import TagFeatures
from tagtower.training.belonging import build_positives
from tagtower.training.checkpoint import read_checkpoint, remove_checkpoint, write_checkpoint
from tagtower.training.dataset import TrainingData
from tagtower.training.encode import Encoder
from tagtower.training.events import (
    CheckpointWritten,
    EpochDone,
    HeadsFitted,
    Listener,
    RoundMined,
    StepDone,
    Stopped,
)
from tagtower.training.history import EpochMeans, EpochRecord, FitResult, StopReason
from tagtower.training.identity import check_identity, training_identity
from tagtower.training.interrupts import HeldSignals, Interrupted
from tagtower.training.mining import check_negatives, scope_of
from tagtower.training.optimiser import Optimiser
from tagtower.training.precision import Precision
from tagtower.training.rounds import Round, Rounds, Snapshot, TagSource
from tagtower.training.start import fit_start
from tagtower.training.state import Best, TrainingState
from tagtower.training.step import Stepper, StepResult
from tagtower.training.validation import Validated, Validation
from tagtower.training.weights import copy_weights, interpolate_weights, put_weights


def fit(
    tower: TwoTower,
    data: TrainingData,
    tag_source: TagSource,
    settings: Settings,
    state_folder: Path | None = None,
    *,
    on_event: Listener | None = None,
    resume: bool = False,
    tag_features: TagFeatures | None = None,
) -> FitResult:
    """Train `tower` where it is, on the device it is on, and leave it with the weights of its best epoch.

    Training sets out from the weights that the tower has: fresh ones, or those of another model (a warm
    start). Ctrl-C and termination end it at the next safe point with a checkpoint. Going on from a checkpoint
    leads to the weights that an uninterrupted run would have had: bit for bit on the same CPU with as many
    threads, on a GPU up to the order in which it sums.

    Args:
        tag_source: asked for the library at the beginning of every round.
        state_folder: where checkpoints lie; None writes none.
        resume: go on from the checkpoint in `state_folder`, if there is one. Else it is removed.
        tag_features: texts of tags to features; default `tower.tag_features`. A frozen encoder may round
            otherwise in other batches, so where tags arrive during training, going on bit for bit takes one
            that gives stored features.
    Raises:
        ConfigError: the settings contradict each other, or leave the loss without a gradient.
        TrainingError: there is nothing to learn from, training diverged, or the checkpoint does not fit.
        StorageError: a checkpoint could not be written.
        KeyboardInterrupt: after Ctrl-C, once the checkpoint is written.
    """
    check_negatives(settings)
    if not len(data.train):
        raise TrainingError("There is no training video.", hint="Give some rows the split `train`.")
    with HeldSignals() as signals, _own_randomness(tower.device):
        training = _Training(tower, data, tag_source, settings, state_folder, on_event, signals, tag_features)
        try:
            training.prepare(resume)
            return training.run()
        except Interrupted:
            training.interrupted()
            signals.deliver()
            raise


class _Training:
    """One call of `fit`."""

    def __init__(
        self,
        tower: TwoTower,
        data: TrainingData,
        tag_source: TagSource,
        settings: Settings,
        state_folder: Path | None,
        on_event: Listener | None,
        signals: HeldSignals,
        tag_features: TagFeatures | None,
    ) -> None:
        precision = Precision.choose(settings.train.precision, tower.device)
        encoder = Encoder(tower, precision, settings.train.batch_size, signals.check)
        self._tower = tower
        self._settings = settings.train
        self._encoder = encoder
        self._scope = scope_of(settings)
        self._folder = state_folder
        self._tell = on_event or (lambda event: None)
        self._signals = signals
        features = tag_features or tower.tag_features
        positives = build_positives(settings, features)
        self._rounds = Rounds(settings, data.train, encoder, tag_source, features, positives)
        self._plan = self._rounds.plan
        self._validation = Validation(encoder, data.val, positives)
        self._optimiser = Optimiser(tower, settings.train, self._plan.steps)
        self._stepper = Stepper(tower, settings, self._optimiser, precision)
        self._start = copy_weights(tower)
        self._identity = training_identity(tower, data, settings) if state_folder is not None else {}
        self._state = TrainingState()
        self._begun = self._saved = time.monotonic()
        self._first_step = 0

    def prepare(self, resume: bool) -> None:
        """Go on from the checkpoint, or clear it away and fit what can be fitted before the first step."""
        checkpoint = read_checkpoint(self._folder) if resume and self._folder is not None else None
        if checkpoint is None:
            if self._folder is not None:
                remove_checkpoint(self._folder)
            if self._settings.start == "fitted":
                self._fit_start()
            return
        check_identity(self._identity, checkpoint.identity, str(self._folder))
        with self._growing_memory() as memory:
            if memory is not None:
                memory.grow(checkpoint.memory)
        put_weights(self._tower, checkpoint.weights)
        self._optimiser.load(checkpoint.optimiser)
        self._state = replace(checkpoint.state, round=checkpoint.restored_round(self._rounds))
        self._first_step = self._state.step

    def _fit_start(self) -> None:
        with self._growing_memory():
            snapshot = self._rounds.snapshot()
        report = fit_start(self._encoder, self._rounds.batches, snapshot, self._settings.seed)
        if report is not None:
            self._tell(HeadsFitted(report))

    def run(self) -> FitResult:
        """Train until the last epoch or until patience runs out."""
        state = self._state
        reason: StopReason | None = None
        current = state.round or self._begin_round()
        while reason is None:
            if state.step % self._plan.steps_per_epoch == 0:
                self._end_epoch(current)
                reason = self._reason_to_stop()
            if state.step == current.stop or reason is not None:
                self._write_checkpoint()
            if reason is None:
                self._signals.check()
                if state.step == current.stop:
                    current = self._begin_round()
                self._step(current)
        assert state.best is not None, "epoch 0 is always validated"
        put_weights(self._tower, state.best.weights)
        self._tower.eval()
        self._tell(Stopped(state.step, reason, state.best.epoch))
        return FitResult(
            best=state.history[state.best.epoch],
            history=tuple(state.history),
            rounds=tuple(state.rounds),
            training_tags=tuple(state.training_tags),
            stopped=reason,
            seconds=self._seconds(),
        )

    def interrupted(self) -> None:
        """Keep what was done so far."""
        state = self._state
        if state.round is not None:
            self._write_checkpoint()
        self._tell(Stopped(state.step, "interrupted", state.best.epoch if state.best else None))

    def _begin_round(self) -> Round:
        started = time.monotonic()
        with self._growing_memory():
            begun = self._rounds.begin(self._state.step)
        self._measure_best_again(begun)
        self._state.enter(begun)
        self._tell(RoundMined(begun.record, time.monotonic() - started))
        return begun

    @contextmanager
    def _growing_memory(self) -> Iterator[TagMemory | None]:
        """The optimiser follows the tag memory, whose parameter is another one after it has grown."""
        memory = self._tower.memory
        before = None if memory is None else memory.vectors
        yield memory
        if memory is not None and before is not None and memory.vectors is not before:
            self._optimiser.replace(before, memory.vectors)

    def _step(self, current: Round) -> None:
        state = self._state
        planned, mined = current.step(state.step)
        # A batch may have no video with a tag in the library of the day; the step then only counts.
        if len(planned.videos):
            videos, tags = self._rounds.batches, current.snapshot.tags
            candidates = current.snapshot.candidates(self._scope)
            done = self._stepper(state.step, planned, mined, videos, tags, candidates)
            state.step += 1
            state.means.add(done.loss, done.active)
            self._tell(self._step_done(planned.epoch, done))
        else:
            state.step += 1
        if time.monotonic() - self._saved > self._settings.checkpoint_seconds:
            self._write_checkpoint()

    def _step_done(self, epoch: int, done: StepResult) -> StepDone:
        return StepDone(
            step=self._state.step,
            steps=self._plan.steps,
            epoch=epoch + 1,
            loss=done.loss,
            active=done.active,
            gradient_norm=done.gradient_norm,
            learning_rate=done.learning_rate,
            seconds_left=self._seconds_left(),
        )

    def _end_epoch(self, current: Round) -> None:
        """Validate, unless the checkpoint that training went on from was written after that."""
        state = self._state
        epoch = state.step // self._plan.steps_per_epoch
        if len(state.history) > epoch:
            return
        library = current.snapshot.library
        kept = interpolate_weights(self._start, copy_weights(self._tower), self._settings.interpolate)
        found = self._validate(kept, current.snapshot)
        loss, active = state.means.means()
        record = EpochRecord(
            epoch=epoch,
            step=state.step,
            loss=loss,
            active=active,
            metrics=found.metrics,
            weights=found.weights,
            gate_entropy=found.gate_entropy,
            library=library.version,
            seconds=self._seconds(),
        )
        state.history.append(record)
        state.means = EpochMeans()
        score = found.score
        is_best = state.best is None or self._settings.keep == "last" or score > state.best.score
        if is_best:
            state.best = Best(epoch, score, library.version, kept)
        self._tell(EpochDone(record, self._settings.epochs, is_best))

    def _measure_best_again(self, begun: Round) -> None:
        """Where the library has changed, the best weights are measured anew: scores compare over one library only."""
        best = self._state.best
        library = begun.snapshot.library
        if best is None or best.version == library.version:
            return
        score = self._validate(best.weights, begun.snapshot).score
        self._state.best = replace(best, score=score, version=library.version)

    def _validate(self, weights: Mapping[str, Tensor], snapshot: Snapshot) -> Validated:
        """Validate other weights than those in training, which are put back."""
        now = copy_weights(self._tower)
        put_weights(self._tower, weights)
        try:
            return self._validation(snapshot.library, snapshot.ranked)
        finally:
            put_weights(self._tower, now)

    def _reason_to_stop(self) -> StopReason | None:
        if self._state.step >= self._plan.steps:
            return "finished"
        if self._state.epochs_without_gain() >= self._settings.patience:
            return "patience"
        return None

    def _write_checkpoint(self) -> None:
        if self._folder is None:
            return
        state = replace(self._state, seconds=self._seconds())
        weights, optimiser = copy_weights(self._tower), self._optimiser.tensors()
        memory = self._tower.memory.names if self._tower.memory is not None else ()
        path = write_checkpoint(self._folder, self._identity, state, weights, optimiser, memory)
        self._saved = time.monotonic()
        self._tell(CheckpointWritten(state.step, path))

    def _seconds(self) -> float:
        return self._state.seconds + time.monotonic() - self._begun

    def _seconds_left(self) -> float:
        done = self._state.step - self._first_step
        return (time.monotonic() - self._begun) / done * (self._plan.steps - self._state.step)


@contextmanager
def _own_randomness(device: torch.device) -> Iterator[None]:
    """Leave the caller's global generators as they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield
