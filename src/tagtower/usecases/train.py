"""Train: from a manifest and a tag library to a model folder, resumable at any point."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tagtower.config import Settings, settings_from
from tagtower.errors import TrainingError, UsageError
from tagtower.evaluation.metrics import Metrics
from tagtower.features.store import CENTRE, FeatureStore
from tagtower.library.tagfile import read_tag_library
from tagtower.media.isolation import Decoder
from tagtower.pipeline.extract import Extracted, Failed, FeatureExtractor
from tagtower.pipeline.words import words_of
from tagtower.ranking.folder import save_ranking
from tagtower.records import Example, Problems, Split
from tagtower.storage.atomic import write_json
from tagtower.towers import TwoTower, build_two_tower, load_model, save_model
from tagtower.training.belonging import build_positives
from tagtower.training.dataset import TrainingData
from tagtower.training.events import Event, Listener
from tagtower.training.manifest import read_manifest
from tagtower.training.mining import check_negatives, doubt
from tagtower.training.positives import resolve_tags
from tagtower.training.splits import assign_splits
from tagtower.training.tensorboard import TensorBoardLog
from tagtower.training.trainer import fit
from tagtower.usecases.card import model_card
from tagtower.usecases.progress import Progress, Silent
from tagtower.usecases.session import open_store, pick_device, set_threads
from tagtower.usecases.stored_examples import StoredExamples
from tagtower.usecases.train_ranking import RankingData, train_ranking

RUN_FILE = "run.json"


@dataclass(frozen=True, slots=True)
class TrainReport:
    """A finished training: where the model is, how it did on validation, and what was left out on the way.

    `validation` is by the towers' distance, `ranked` in the order of the ranker, if there is one.
    """

    out: Path
    model: str
    validation: Metrics
    ranked: Metrics | None
    videos: dict[Split, int]
    failures: tuple[Failed, ...]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return the report as `train --json` prints it, less the schema number."""
        return {
            "out": str(self.out),
            "model": self.model,
            "videos": self.videos,
            "validation": self.validation.to_json(),
            "ranked": None if self.ranked is None else self.ranked.to_json(),
            "failed": [{"id": one.video.id, "message": one.error.message} for one in self.failures],
            "seconds": round(self.seconds, 1),
        }


def state_folder(out: Path) -> Path:
    """Return the folder beside a model folder that holds an unfinished run: checkpoints, settings, logs."""
    out = out.absolute()
    return out.parent / f"{out.name}.training"


def train(
    manifest: Path,
    tags: Path,
    out: Path,
    settings: Settings,
    *,
    resume: bool = False,
    overwrite: bool = False,
    strict: bool = False,
    warm_start: Path | None = None,
    store: Path | None = None,
    bypass_store: bool = False,
    examples: Sequence[Example] | None = None,
    problems: Problems | None = None,
    progress: Progress | None = None,
    on_event: Listener = lambda event: None,
) -> TrainReport:
    """Train on a manifest and write the model folder `out`; the tag library is read afresh every round.

    Args:
        resume: go on where an earlier run into `out` was stopped, with that run's settings.
        warm_start: a model folder whose weights training starts from, whatever `train.start` says; it must have
            been made with the same towers.
        examples: rows to use instead of those of `manifest`, as cross-validation needs.
    Raises:
        UsageError: `out` exists and neither `resume` nor `overwrite` is set; or there is nothing to resume.
        ManifestError, TagLibraryError: an input cannot be used.
        TrainingError: no training video is left, or training broke down.
    """
    start = time.perf_counter()
    progress, problems = progress or Silent(), problems if problems is not None else Problems()
    check_negatives(settings)
    if (warning := doubt(settings)) is not None:
        progress.tell(f"negatives.rule: {warning}.")
    if warm_start is not None:  # what the other model has learnt is not fitted over
        settings = settings.model_copy(update={"train": settings.train.model_copy(update={"start": "plain"})})
    device = pick_device(settings.train.device)
    set_threads(settings.train.threads)
    _make_way(out, resume=resume, overwrite=overwrite)
    rows = examples or read_manifest(manifest, strict=strict, problems=problems).examples
    rows = assign_splits(rows, settings.train.val_share, settings.train.seed, problems)
    library = read_tag_library(tags, problems)
    if settings.positives.source == "labels":
        resolve_tags(rows, library, problems)  # counts the tags that the library does not have
    state = state_folder(out)
    # Though the library may have changed since, a run that goes on keeps the words that it began with: others
    # would be another network.
    words = _read_run(state)["tags"] if resume else library.texts
    tower = _start_tower(settings, rows, words, warm_start).to(device)
    if not resume:
        write_json(
            state / RUN_FILE, {"settings": settings.model_dump(mode="json"), "tags": list(library.texts)}
        )
    with ExitStack() as stack:
        features = stack.enter_context(open_store(store, bypass=bypass_store))
        decoder = stack.enter_context(Decoder(settings.media))
        extractor = FeatureExtractor(tower.eval(), settings, decoder, features)
        draws = (CENTRE, *range(settings.image.random_draws if tower.image is not None else 0))
        failures: list[Failed] = []
        train_part = _extract(
            extractor,
            features,
            _usable(rows, "train", settings),
            "train",
            draws,
            failures,
            problems,
            progress,
        )
        val_part = _extract(
            extractor,
            features,
            _usable(rows, "val", settings),
            "val",
            (CENTRE,),
            failures,
            problems,
            progress,
        )
        data = TrainingData(train_part, val_part)
        found = build_positives(settings, extractor.tag_features)(data.train, library)
        if found.line:
            progress.tell(found.line)
        log = stack.enter_context(TensorBoardLog(state / "logs"))
        result = fit(
            tower,
            data,
            lambda: read_tag_library(tags, Problems()),
            settings,
            state_folder=state,
            on_event=_both(log, on_event),
            resume=resume,
            tag_features=extractor.tag_features,
        )
        ranking, ranked = train_ranking(
            tower,
            lambda: _start_tower(settings, rows, words, warm_start).to(device),
            RankingData(data, train_part.examples, val_part.examples),
            read_tag_library(tags, Problems()),
            result.training_tags,
            settings,
            state_folder=state / "ranker",
            resume=resume,
            tag_features=extractor.tag_features,
            progress=progress,
        )
    counts: dict[Split, int] = {"train": len(data.train), "val": len(data.val)}
    measured = result.best.metrics.to_json()
    ranked_json = None if ranked is None else ranked.to_json()
    save_model(
        out,
        tower,
        result.training_tags,
        {**result.to_json(), "ranked": ranked_json, "videos": counts},
        model_card(tower, library, result.training_tags, measured, ranked_json, counts),
        lambda folder: save_ranking(folder, ranking),
    )
    _close_run(state, out)
    return TrainReport(
        out=out,
        model=load_model(out).model_fingerprint,
        validation=result.best.metrics,
        ranked=ranked,
        videos=counts,
        failures=tuple(failures),
        seconds=time.perf_counter() - start,
    )


def _make_way(out: Path, *, resume: bool, overwrite: bool) -> None:
    state = state_folder(out)
    if resume and overwrite:
        raise UsageError("--resume and --overwrite contradict each other.", hint="Choose one.")
    if resume and not (state / RUN_FILE).exists():
        done = " The model there is finished." if out.exists() else ""
        raise UsageError(f"There is no unfinished run for {out}.{done}", hint="Start it without --resume.")
    if not resume and not overwrite:
        if out.exists():
            raise UsageError(f"{out} exists.", hint="Choose another --out, or replace it with --overwrite.")
        if state.exists():
            raise UsageError(
                f"{state} holds an unfinished run.",
                hint="Go on with --resume, or start anew with --overwrite.",
            )
    if overwrite:
        if out.exists() and not _is_replaceable(out):
            raise UsageError(
                f"{out} exists and is no model folder; it is not replaced.", hint="Choose another --out."
            )
        shutil.rmtree(state, ignore_errors=True)


def _is_replaceable(out: Path) -> bool:
    return out.is_dir() and ((out / "config.json").exists() or not any(out.iterdir()))


def _read_run(state: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((state / RUN_FILE).read_bytes())
    return found


def run_settings(out: Path) -> Settings | None:
    """Return the settings of the unfinished run into `out`, None if there is none."""
    state = state_folder(out)
    return settings_from(_read_run(state)["settings"]) if (state / RUN_FILE).exists() else None


def _both(first: Listener, second: Listener) -> Listener:
    def tell(event: Event) -> None:
        first(event)
        second(event)

    return tell


def _usable(rows: Sequence[Example], split: Split, settings: Settings) -> list[Example]:
    """Return the rows of a split that have tags, or titles where these stand in for tags.

    Which of the tags the library holds is asked every round. Validation goes by labels where it has any.
    """
    chosen = [row for row in rows if row.split == split]
    labelled = [row for row in chosen if row.tags]
    if settings.positives.source == "labels" or (labelled and split == "val"):
        if not labelled:
            raise TrainingError(
                f"No example of split {split!r} has a tag.",
                hint="Look at the data with: tagtower data check. To learn from titles alone, set positives.source "
                "to similarity.",
            )
        return labelled
    titled = [row for row in chosen if row.video.title]
    if not titled:
        raise TrainingError(
            f"No example of split {split!r} has a title, and positives.source is `similarity`.",
            hint="Give the manifest titles, or tags and set positives.source to labels.",
        )
    return titled


def _start_tower(
    settings: Settings, rows: Sequence[Example], tags: Sequence[str], warm_start: Path | None
) -> TwoTower:
    if warm_start is None:
        texts = [
            text
            for row in rows
            if row.split == "train"
            for text in words_of(row.video, settings.text.fields).texts.values()
        ]
        return build_two_tower(settings, texts, tags)
    tower = load_model(warm_start).tower
    towers = {"image", "audio", "text", "tag", "fusion", "distance"}
    changed = [
        name
        for name in towers
        if getattr(tower.settings, name).model_dump() != getattr(settings, name).model_dump()
    ]
    if changed:
        raise UsageError(
            f"The model in {warm_start} has other towers: {', '.join(sorted(changed))} differ.",
            hint="Use the settings of that model; losses, negatives and training may differ.",
        )
    tower.settings = settings
    return tower


def _extract(
    extractor: FeatureExtractor,
    store: FeatureStore,
    rows: Sequence[Example],
    split: Split,
    draws: tuple[int, ...],
    failures: list[Failed],
    problems: Problems,
    progress: Progress,
) -> StoredExamples:
    """Return the examples whose features could be had; the others are added to `failures`, oddities to `problems`."""
    found = StoredExamples(store, draws)
    progress.phase(f"reading {split}", len(rows))
    with torch.inference_mode():
        for row, one in zip(rows, extractor.extract((row.video for row in rows), draws), strict=True):
            if isinstance(one, Extracted):
                found.add(row, one)
                for warning in one.warnings:
                    problems.add(f"line {row.line}" if row.line else row.video.id, warning)
            else:
                failures.append(one)
                progress.tell(f"left out: {one.error.message}")
            progress.advance()
    if not len(found):
        raise TrainingError(
            f"None of the {len(rows)} videos of split {split!r} could be read; the first: {failures[0].error.message}"
        )
    return found


def _close_run(state: Path, out: Path) -> None:
    """Keep the logs with the model and drop the checkpoints, which are of no more use."""
    logs = state / "logs"
    if logs.is_dir():
        shutil.copytree(logs, out / "logs", dirs_exist_ok=True)
    shutil.rmtree(state)
