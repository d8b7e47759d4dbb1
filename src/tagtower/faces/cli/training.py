"""What training tells, as a bar of steps and a line an epoch."""

from __future__ import annotations

from typing import final

from tagtower.training.events import (
    CheckpointWritten,
    EpochDone,
    Event,
    HeadsFitted,
    RoundMined,
    StepDone,
    Stopped,
)
from tagtower.training.start import StartReport
from tagtower.usecases.progress import Progress

REASONS = {
    "finished": "all epochs done",
    "patience": "no better for a while",
    "interrupted": "interrupted; go on with --resume",
}


@final
class TrainingLines:
    """Shows the events of a training run on a progress display."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._shown = -1

    def __call__(self, event: Event) -> None:
        """Show one event."""
        match event:
            case StepDone():
                if self._shown < 0:
                    self._progress.phase("training", event.steps)
                    self._shown = event.step - 1
                note = f"loss {event.loss:.3f}  active {event.active:.0%}"
                self._progress.advance(event.step - self._shown, note)
                self._shown = event.step
            case EpochDone():
                self._progress.tell(_epoch(event))
            case HeadsFitted():
                self._progress.tell(_start(event.report))
            case RoundMined():
                if event.round.mining is not None:
                    self._progress.tell(f"  {event.round.mining.line()}")
            case Stopped():
                best = "" if event.best_epoch is None else f"; the best epoch is {event.best_epoch}"
                self._progress.tell(f"training stopped: {REASONS[event.reason]}{best}")
            case CheckpointWritten():
                pass


def _start(report: StartReport) -> str:
    heads = ", ".join(f"{modality} {score:.3f}" for modality, score in report.heads.items())
    gate = " ".join(f"{modality} {weight:.2f}" for modality, weight in report.gate.items())
    line = f"heads fitted to {report.videos:,} videos  held-out nDCG@10 {heads}"
    return f"{line}  gate {gate}" if len(report.gate) > 1 else line


def _epoch(event: EpochDone) -> str:
    record = event.record
    name = f"epoch {record.epoch:3d}/{event.epochs}" if record.epoch else "before training"
    parts = [name]
    if record.loss is not None:
        parts.append(f"loss {record.loss:.3f}")
    if record.active is not None:
        parts.append(f"active {record.active:.0%}")
    if record.metrics.ndcg_at_10 is not None:
        parts.append(f"validation nDCG@10 {record.metrics.ndcg_at_10:.3f}{' *' if event.best else ''}")
    gates = [f"{modality} {weight:.2f}" for modality, weight in record.weights.items() if weight is not None]
    if len(gates) > 1:
        parts.append("gate " + " ".join(gates))
    parts.append(f"{record.seconds:.0f} s")
    return "  ".join(parts)
