"""Train, or leave untrained, and evaluate: the same steps for every quality benchmark."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tagtower.config import Settings
from tagtower.library.tagfile import read_tag_library
from tagtower.records import MODALITIES, Example, Modality, Problems
from tagtower.towers import build_two_tower, save_model
from tagtower.training.manifest import read_manifest
from tagtower.usecases.evaluate import Evaluation, evaluate
from tagtower.usecases.session import open_session
from tagtower.usecases.train import train


@dataclass(frozen=True)
class Data:
    """A manifest with its library."""

    manifest: Path
    tags: Path

    def examples(self) -> tuple[Example, ...]:
        """Return the rows of the manifest."""
        return read_manifest(self.manifest, problems=Problems()).examples


@dataclass(frozen=True)
class Run:
    """One model, evaluated: by modality set, and how long training took."""

    evaluations: dict[str, Evaluation]
    train_seconds: float


def trained(
    data: Data,
    settings: Settings,
    store: Path,
    *,
    examples: Sequence[Example] | None = None,
    modalities: Sequence[Collection[Modality]] = (MODALITIES,),
) -> Run:
    """Train in a temporary folder and evaluate on `test`, once for each set of modalities."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "model")
        start = time.perf_counter()
        train(data.manifest, data.tags, out, settings, store=store, examples=examples)
        seconds = time.perf_counter() - start
        return Run(_evaluate(out, data, store, examples, modalities), seconds)


def untrained(
    data: Data,
    settings: Settings,
    store: Path,
    *,
    examples: Sequence[Example] | None = None,
    modalities: Sequence[Collection[Modality]] = (MODALITIES,),
) -> Run:
    """Evaluate the model that training would start from."""
    rows = examples or data.examples()
    library = read_tag_library(data.tags, Problems())
    titles = [row.video.title for row in rows if row.split == "train" and row.video.title]
    known = sorted({tag for row in rows if row.split == "train" for tag in row.tags})
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "model")
        save_model(out, build_two_tower(settings, titles, library.texts), known, {}, "untrained")
        return Run(_evaluate(out, data, store, examples, modalities), 0.0)


def _evaluate(
    model: Path,
    data: Data,
    store: Path,
    examples: Sequence[Example] | None,
    modalities: Sequence[Collection[Modality]],
) -> dict[str, Evaluation]:
    library = read_tag_library(data.tags, Problems())
    with open_session(model, store=store) as session:
        return {
            "+".join(chosen): evaluate(
                session, examples or data.examples(), library, split="test", modalities=chosen
            )
            for chosen in modalities
        }


def spread(values: Sequence[float]) -> str:
    """Return mean and standard deviation over seeds, as `0.321 ±0.004`."""
    return f"{np.mean(values):.3f} ±{np.std(values):.3f}"


def verdict(name: str, value: float, floor: float) -> str:
    """Return one line that holds a figure against its floor."""
    return f"{'ok  ' if value >= floor else 'MISS'} {name}: {value:.3f} (floor {floor:.3f})"
