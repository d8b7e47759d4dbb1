"""Calibrate: fit the probabilities of a finished model anew, without training anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tagtower.errors import ManifestError
from tagtower.evaluation.reliability import Reliability, judge_probabilities
from tagtower.library.tags import TagLibrary
from tagtower.pipeline.extract import Failed
from tagtower.ranking.calibration import LEAST_HITS, Calibration
from tagtower.ranking.folder import save_ranking
from tagtower.ranking.order import Ordered
from tagtower.records import MODALITIES, Example, Problems, Split
from tagtower.towers import load_model
from tagtower.towers.folder import replace_ranking
from tagtower.training.splits import assign_splits, examples_in
from tagtower.usecases.heard import hear, relevance
from tagtower.usecases.order_calibration import fit_order
from tagtower.usecases.progress import Progress, Silent
from tagtower.usecases.ranking import RankerName, seen_in_training
from tagtower.usecases.session import Session


@dataclass(frozen=True, slots=True)
class OrderReport:
    """One order: the right tags that there were to fit to, whether they sufficed, and how far the old
    probabilities, if there were any, were off on these videos."""

    hits: int
    fitted: bool
    before: Reliability | None

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        before = None if self.before is None else self.before.to_json()
        return {"hits": self.hits, "fitted": self.fitted, "before": before}


@dataclass(frozen=True, slots=True)
class CalibrateReport:
    """What was fitted on how many videos, and the model's fingerprint before and after; `vectors` is that of both."""

    folder: Path
    vectors: str
    before: str
    after: str
    videos: int
    orders: dict[RankerName, OrderReport]
    failures: tuple[Failed, ...]

    def to_json(self) -> dict[str, Any]:
        """Return what `calibrate --json` prints, less the schema number."""
        return {
            "folder": str(self.folder),
            "vectors": self.vectors,
            "model": {"before": self.before, "after": self.after},
            "videos": self.videos,
            "orders": {name: one.to_json() for name, one in self.orders.items()},
            "failed": [{"id": one.video.id, "message": one.error.message} for one in self.failures],
        }


def calibrate(
    session: Session,
    examples: Sequence[Example],
    library: TagLibrary,
    *,
    split: Split = "val",
    problems: Problems | None = None,
    progress: Progress | None = None,
) -> CalibrateReport:
    """Fit the probabilities of every order that the model has on the examples of `split`, and keep them with it.

    The model folder is replaced as a whole; towers, ranker and neighbours stay as they are, and so do stored vectors.
    An order with too few right tags to fit to keeps what it had. The open session goes on with what it read.

    Raises:
        ManifestError: the split, given or assigned as training does, is empty, none of its videos can be read or has
            a tag of the library, or no order has enough right tags to fit to.
        StorageError: the folder cannot be written.
    """
    progress, problems = progress or Silent(), problems if problems is not None else Problems()
    model, settings = session.model, session.model.tower.settings
    given = assign_splits(examples, settings.train.val_share, settings.train.seed, problems)
    heard = hear(session, examples_in(given, split), split, MODALITIES, problems, progress)
    relevant = relevance(heard.examples, library, split, problems)
    seen = seen_in_training(library, model.training_tags)
    names: tuple[RankerName, ...] = (
        ("tower",) if session.orders.ranking.ranker is None else ("tower", "hybrid")
    )
    calibrations: dict[str, Calibration] = dict(session.orders.ranking.calibrations)
    reports: dict[RankerName, OrderReport] = {}
    for name in names:
        progress.phase(f"calibrating {name}", None)
        blocks = list(session.orders.order(library, name)(heard.vectors, heard.words, heard.ids))
        fitted = fit_order(blocks, relevant)
        if fitted.calibration is not None:
            calibrations[name] = fitted.calibration
        before = _judged(blocks, relevant, seen)
        reports[name] = OrderReport(fitted.hits, fitted.calibration is not None, before)
    if not any(one.fitted for one in reports.values()):
        most = max(one.hits for one in reports.values())
        raise ManifestError(
            f"The {len(heard.examples)} videos of split {split!r} have {most} right tags near the top of the order; "
            f"{LEAST_HITS} are the least that probabilities can be fitted to.",
            hint="Give more labelled videos, or other --split; the model is as it was.",
        )
    ranking = replace(session.orders.ranking, calibrations=calibrations)
    replace_ranking(model.folder, lambda folder: save_ranking(folder, ranking))
    return CalibrateReport(
        model.folder,
        model.vector_fingerprint,
        model.model_fingerprint,
        load_model(model.folder).model_fingerprint,
        len(heard.examples),
        reports,
        heard.failures,
    )


def _judged(blocks: Sequence[Ordered], relevant: np.ndarray, seen: np.ndarray) -> Reliability | None:
    probabilities = [block.probabilities for block in blocks]
    known = [one for one in probabilities if one is not None]
    if not known:
        return None
    places = np.concatenate([block.places for block in blocks]).astype(np.float32)
    return judge_probabilities(places, np.concatenate(known), relevant, seen).all
