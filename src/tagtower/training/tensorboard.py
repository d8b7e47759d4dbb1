"""Training as TensorBoard shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

from tensorboardX import SummaryWriter

from tagtower.training.events import EpochDone, Event, RoundMined, StepDone


class TensorBoardLog:
    """Listens to training and writes scalars into `folder`; a context manager, so that all are written out."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: SummaryWriter | None = None

    def __enter__(self) -> TensorBoardLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def __call__(self, event: Event) -> None:
        """Write what there is to plot in an event; the step counts optimiser steps."""
        match event:
            case StepDone():
                scalars = {
                    "step/loss": event.loss,
                    "step/active": event.active,
                    "step/gradient_norm": event.gradient_norm,
                    "step/learning_rate": event.learning_rate,
                }
                self._write(event.step, scalars)
            case EpochDone(record=record):
                self._write(
                    record.step,
                    {"epoch/loss": record.loss, "epoch/active": record.active}
                    | {f"validation/{name}": value for name, value in asdict(record.metrics).items()}
                    | {f"gate/{modality}": weight for modality, weight in record.weights.items()}
                    | {"gate/entropy": record.gate_entropy},
                )
            case RoundMined(round=record) if record.mining is not None:
                mining = record.mining
                self._write(
                    record.step,
                    {
                        "mining/tags": mining.tags,
                        "mining/band_median": mining.band.median,
                        "mining/active_hinges": mining.active_hinges,
                        "mining/empty_bands": mining.fallback_beyond + mining.fallback_farthest,
                        "mining/dropped_own": mining.dropped_own,
                        "mining/dropped_aliases": mining.dropped_alias,
                    },
                )

    def _write(self, step: int, scalars: Mapping[str, float | int | None]) -> None:
        if self._writer is None:
            # A resumed run repeats what came after its checkpoint; the purge keeps one line in the plot.
            self._writer = SummaryWriter(str(self._folder), purge_step=step)
        for name, value in scalars.items():
            if value is not None:
                self._writer.add_scalar(name, value, step)
