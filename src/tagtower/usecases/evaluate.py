"""Evaluate: how well a model ranks the tags of a split, with seen and unseen tags always apart."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32

from tagtower.config import Settings
from tagtower.errors import ManifestError, UsageError
from tagtower.evaluation.metrics import EvaluationResult, evaluate_seen_unseen
from tagtower.evaluation.reliability import Calibrated, judge_probabilities
from tagtower.library.tags import TagLibrary
from tagtower.pipeline.extract import Failed
from tagtower.pipeline.vectors import Embedded, embed_videos
from tagtower.pipeline.words import words_of
from tagtower.ranking.order import TagOrder
from tagtower.records import MODALITIES, Example, Modality, Problems, Split, TextField
from tagtower.training.positives import resolve_tags
from tagtower.training.splits import assign_splits, examples_in
from tagtower.usecases.progress import Progress, Silent
from tagtower.usecases.ranking import RankerName, read_neighbours, seen_in_training
from tagtower.usecases.session import Session


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The metrics of one model on one split, and the arrays that they were computed from.

    `places` holds each tag's place, from 0, in the order that was evaluated, and `probabilities` the calibrated ones,
    if the model has any; `distances` are the towers' own. `order` gave them, and of each video `modalities` were heard.
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
    order: TagOrder
    modalities: frozenset[Modality]

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
        neighbours: labelled videos that join those of the model; those that are evaluated are left out of them.
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
    progress.phase(f"videos of {split}", len(chosen))
    kept: list[tuple[Example, Embedded]] = []
    failures: list[Failed] = []
    stream = session.extractor.extract(example.video for example in chosen)
    for example, one in zip(chosen, embed_videos(tower, stream, modalities=modalities), strict=True):
        if isinstance(one, Failed):
            failures.append(one)
        else:
            kept.append((example, one))
            for warning in one.warnings:
                problems.add(f"line {example.line}" if example.line else example.video.id, warning)
        progress.advance()
    if not kept:
        raise ManifestError(
            f"None of the {len(chosen)} videos of split {split!r} could be read; the first: {failures[0].error.message}"
        )
    progress.phase("ranking", None)
    embedded = tuple(one for _, one in kept)
    relevant = _relevance([example for example, _ in kept], library, problems)
    if not relevant.any():
        raise ManifestError(
            f"No video of split {split!r} has a tag of the library.",
            hint="Are this manifest and this library a pair?",
        )
    seen = seen_in_training(library, session.model.training_tags)
    texts = ranked_words([example for example, _ in kept], tower.settings, modalities)
    blocks = [
        (block.distances, block.places.astype(np.float32), block.probabilities)
        for block in order(np.stack([one.vector for one in embedded]), texts)
    ]
    distances, places = (np.concatenate([block[part] for block in blocks]) for part in (0, 1))
    weights = {
        modality: float(np.mean([one.weights[modality] for one in embedded])) for modality in tower.modalities
    }
    probabilities = _joined([block[2] for block in blocks])
    return Evaluation(
        result=evaluate_seen_unseen(places, relevant, seen),
        calibration=None
        if probabilities is None
        else judge_probabilities(places, probabilities, relevant, seen),
        gates=weights,
        examples=tuple(example for example, _ in kept),
        embedded=embedded,
        distances=distances,
        places=places,
        probabilities=probabilities,
        relevant=relevant,
        seen=seen,
        failures=tuple(failures),
        library=library,
        model=session.model.model_fingerprint,
        ranker=name,
        order=order,
        modalities=frozenset(modalities),
    )


def ranked_words(
    examples: Sequence[Example], settings: Settings, modalities: Collection[Modality]
) -> list[dict[TextField, str]]:
    """Return the words of each video that the ranker sees; none where the text is left out."""
    fields = settings.ranking.fields if "text" in modalities else ()
    return [words_of(example.video, fields).texts for example in examples]


def _joined(blocks: Sequence[np.ndarray | None]) -> np.ndarray | None:
    known = [block for block in blocks if block is not None]
    return np.concatenate(known) if known else None


def _relevance(
    examples: Sequence[Example], library: TagLibrary, problems: Problems
) -> Bool[np.ndarray, "video tag"]:
    relevant = np.zeros((len(examples), len(library)), bool)
    for row, tags in enumerate(resolve_tags(examples, library, problems)):
        relevant[row, list(tags)] = True
    return relevant
