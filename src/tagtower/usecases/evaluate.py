"""Evaluate: how well a model ranks the tags of a split, with seen and unseen tags always apart."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32

from tagtower.errors import UsageError
from tagtower.evaluation.metrics import EvaluationResult, evaluate_seen_unseen
from tagtower.evaluation.reliability import Calibrated, judge_probabilities
from tagtower.library.tags import TagLibrary
from tagtower.pipeline.extract import Failed
from tagtower.pipeline.vectors import Embedded
from tagtower.ranking.order import TagOrder
from tagtower.records import MODALITIES, Example, Modality, Problems, Split, TextField
from tagtower.training.splits import assign_splits, examples_in
from tagtower.usecases.heard import hear, relevance
from tagtower.usecases.progress import Progress, Silent
from tagtower.usecases.ranking import RankerName, read_neighbours, seen_in_training
from tagtower.usecases.session import Session


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The metrics of one model on one split, and the arrays that they were computed from.

    `places` holds each tag's place, from 0, in the order that was evaluated, and `probabilities` the calibrated ones,
    if the model has any; `distances` are the towers' own. Of each video `modalities` were heard and `words` seen;
    `order` ranked them.
    """

    result: EvaluationResult
    calibration: Calibrated | None
    gates: dict[Modality, float]
    examples: tuple[Example, ...]
    embedded: tuple[Embedded, ...]
    distances: Float[np.ndarray, "video tag"]
    places: Float32[np.ndarray, "video tag"]
    probabilities: Float32[np.ndarray, "video tag"] | None
    relevant: Bool[np.ndarray, "video tag"]
    seen: Bool[np.ndarray, "tag"]
    failures: tuple[Failed, ...]
    library: TagLibrary
    model: str
    ranker: RankerName
    modalities: frozenset[Modality]
    words: tuple[dict[TextField, str], ...]
    order: TagOrder

    def to_json(self) -> dict[str, Any]:
        """Return what `evaluate --json` prints, less the schema number."""
        return {
            "videos": len(self.examples),
            "tags": len(self.library),
            "model": self.model,
            "library": self.library.version,
            "ranker": self.ranker,
            **self.result.to_json(),
            "calibration": None if self.calibration is None else self.calibration.to_json(),
            "gates": self.gates,
        }


def evaluate(
    session: Session,
    examples: Sequence[Example],
    library: TagLibrary,
    *,
    split: Split = "test",
    modalities: Collection[Modality] = MODALITIES,
    ranker: RankerName | None = None,
    neighbours: Sequence[Example] | None = None,
    problems: Problems | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Return the metrics over the examples of `split`; videos that cannot be read are left out and listed.

    Args:
        modalities: the others are treated as missing; without the text, the ranker sees no words either.
        ranker: the order to evaluate; default the best that the model has.
        neighbours: labelled videos that join those of the model; those that are evaluated are left out of them, as
            those of the model are.
    Raises:
        UsageError: the model reads none of `modalities`, or has no ranker that was asked for.
        ManifestError: the split, given or assigned as training does, is empty, or none of its videos can be read
            or has a tag of the library.
    """
    progress = progress or Silent()
    tower = session.model.tower
    if not set(modalities) & set(tower.modalities):
        raise UsageError(
            f"This model reads none of: {', '.join(modalities)}.",
            hint=f"It reads: {', '.join(tower.modalities)}.",
        )
    problems = problems if problems is not None else Problems()
    given = assign_splits(examples, tower.settings.train.val_share, tower.settings.train.seed, problems)
    chosen = examples_in(given, split)
    name = session.orders.ranker(ranker)
    further = None
    if neighbours is not None:
        progress.phase("neighbours", None)
        evaluated = {example.video.id for example in chosen}
        further = read_neighbours(session.model, session.extractor, neighbours, problems, without=evaluated)
    progress.phase("tags", None)
    order = session.orders.order(library, name, further)
    heard = hear(session, chosen, split, modalities, problems, progress)
    relevant = relevance(heard.examples, library, split, problems)
    seen = seen_in_training(library, session.model.training_tags)
    progress.phase("ranking", None)
    blocks = [
        (block.distances, block.places.astype(np.float32), block.probabilities)
        for block in order(heard.vectors, heard.words, heard.ids)
    ]
    distances, places = (np.concatenate([block[part] for block in blocks]) for part in (0, 1))
    probabilities = _joined([block[2] for block in blocks])
    embedded = heard.embedded
    weights = {
        modality: float(np.mean([one.weights[modality] for one in embedded])) for modality in tower.modalities
    }
    return Evaluation(
        result=evaluate_seen_unseen(places, relevant, seen),
        calibration=None
        if probabilities is None
        else judge_probabilities(places, probabilities, relevant, seen),
        gates=weights,
        examples=heard.examples,
        embedded=embedded,
        distances=distances,
        places=places,
        probabilities=probabilities,
        relevant=relevant,
        seen=seen,
        failures=heard.failures,
        library=library,
        model=session.model.model_fingerprint,
        ranker=name,
        modalities=frozenset(modalities),
        words=heard.words,
        order=order,
    )


def _joined(blocks: Sequence[np.ndarray | None]) -> np.ndarray | None:
    known = [block for block in blocks if block is not None]
    return np.concatenate(known) if known else None
