"""The demo: the whole job on generated clips, from an empty folder to a report."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tagtower.config import load_settings
from tagtower.errors import UsageError
from tagtower.evaluation.metrics import Metrics, relevant_ranks
from tagtower.library.tagfile import read_tag_library
from tagtower.library.tags import TagLibrary
from tagtower.records import Modality, Problems, Tag, Video
from tagtower.training.events import Listener
from tagtower.training.manifest import read_manifest
from tagtower.usecases.demo_corpus import DemoCorpus, make_corpus
from tagtower.usecases.evaluate import Evaluation, evaluate
from tagtower.usecases.evaluation_report import write_evaluation_report
from tagtower.usecases.label import Labelled, label
from tagtower.usecases.progress import Progress, Silent
from tagtower.usecases.session import Session, open_session
from tagtower.usecases.train import train

RECALL_CUT = 5

SHOWN_TAGS = 10
"""Tags shown of a clip before and after the new tag joins the library."""


@dataclass(frozen=True, slots=True)
class AloneScore:
    """How one modality alone ranks the `tags` tags that it decides, among these.

    `precision` is the R-precision: of the first R tags, where R counts the right ones, the share that is right.
    `chance` is that of a random order. Both are in [0, 1].

    Source: Manning, Raghavan, Schütze, "Introduction to Information Retrieval" (2008), section 8.4.
    """

    precision: float
    chance: float
    tags: int


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What the demo showed."""

    folder: Path
    report: Path
    all: Metrics
    unseen: Metrics
    unseen_chance: float
    alone: Mapping[Modality, AloneScore]
    new_tag: str
    new_tag_rank: int
    before: Labelled
    after: Labelled
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return what `demo --json` prints, less the schema number."""
        return {
            "folder": str(self.folder),
            "report": str(self.report),
            "all": self.all.to_json(),
            "unseen": self.unseen.to_json(),
            "unseen_chance_recall@5": self.unseen_chance,
            "alone": {
                modality: {"r_precision": one.precision, "chance": one.chance, "tags": one.tags}
                for modality, one in self.alone.items()
            },
            "new_tag": {
                "tag": self.new_tag,
                "rank": self.new_tag_rank,
                "video": self.after.video.id,
                "before": [tag.tag for tag in self.before.tags],
                "after": [tag.tag for tag in self.after.tags],
            },
            "train_seconds": round(self.seconds, 1),
        }


def run_demo(
    folder: Path,
    *,
    seed: int = 0,
    videos: int = 120,
    overwrite: bool = False,
    progress: Progress | None = None,
    on_event: Listener = lambda event: None,
) -> DemoReport:
    """Make a corpus, train the `tiny` preset from scratch, evaluate, tag, add a tag, and write a report.

    The corpus is kept if it is there, so that a demo that was stopped does not draw it anew.

    Raises:
        UsageError: `folder` holds a finished demo and `overwrite` is not set.
    """
    progress = progress or Silent()
    report, model = folder / "report.html", folder / "model"
    if model.exists() and not overwrite:
        raise UsageError(
            f"{folder} holds a demo.", hint="Name another --out, or replace it with --overwrite."
        )
    if overwrite:
        shutil.rmtree(folder / "corpus", ignore_errors=True)
    corpus = _corpus(folder / "corpus", seed, videos, progress)
    trained = train(
        corpus.manifest,
        corpus.training_tags,
        model,
        load_settings("tiny", overrides=[f"train.seed={seed}"]),
        overwrite=True,
        store=folder / "store",
        progress=progress,
        on_event=on_event,
    )
    library = read_tag_library(corpus.tags, Problems())
    rows = read_manifest(corpus.manifest, problems=Problems()).examples
    with open_session(model, store=folder / "store") as session:
        found = evaluate(session, rows, library, progress=progress)
        write_evaluation_report(report, session, found, "test")
        alone = {
            modality: _alone(evaluate(session, rows, library, modalities=(modality,)), corpus, modality)
            for modality in session.model.tower.modalities
        }
        before, after, rank = _add_a_tag(session, corpus, library)
    return DemoReport(
        folder=folder,
        report=report,
        all=found.result.all,
        unseen=found.result.unseen,
        unseen_chance=RECALL_CUT / max(RECALL_CUT, int((~found.seen).sum())),
        alone=alone,
        new_tag=corpus.new_tag,
        new_tag_rank=rank,
        before=before,
        after=after,
        seconds=trained.seconds,
    )


def _corpus(folder: Path, seed: int, videos: int, progress: Progress) -> DemoCorpus:
    progress.phase("drawing clips", videos)
    told = 0

    def tell(done: int, total: int) -> None:
        nonlocal told
        progress.advance(done - told)
        told = done

    return make_corpus(folder, seed, videos, tell)


def _alone(found: Evaluation, corpus: DemoCorpus, modality: Modality) -> AloneScore:
    own = np.array([corpus.modality_of.get(text) == modality for text in found.library.texts])
    relevant = found.relevant[:, own]
    relevant = relevant[rows := relevant.any(axis=1)]
    ranks = relevant_ranks(found.places[rows][:, own], relevant)
    right = relevant.sum(axis=1)
    hits = np.bincount(ranks.videos, weights=ranks.ranks <= right[ranks.videos])
    tags = int(own.sum())
    return AloneScore(float((hits / right).mean()), float(right.mean() / tags), tags)


def _add_a_tag(session: Session, corpus: DemoCorpus, library: TagLibrary) -> tuple[Labelled, Labelled, int]:
    """Tag the clips of the new tag before and after it joins the library, with the model as it is.

    Returns the two answers for the clip that ranks the new tag best, and that rank.
    """
    grown = TagLibrary.from_tags([*library.tags, Tag(corpus.new_tag)])
    videos = [Video(id=clip.name, media=str(clip)) for clip in corpus.new_tag_clips]
    ranks = []
    for answer in label(session, videos, grown):
        if not isinstance(answer, Labelled):
            raise answer.error
        ranks.append((next(tag.rank for tag in answer.tags if tag.tag == corpus.new_tag), answer))
    rank, after = min(ranks, key=lambda one: one[0])
    before = next(label(session, [after.video], library, top_k=SHOWN_TAGS))
    assert isinstance(before, Labelled), "the same file was read a moment ago"
    return before, replace(after, tags=after.tags[:SHOWN_TAGS]), rank
