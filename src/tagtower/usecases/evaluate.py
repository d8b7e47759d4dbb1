"""Evaluate: how well a model ranks the tags of a split, with seen and unseen tags always apart."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from tagtower.errors import ManifestError, UsageError
from tagtower.evaluation.metrics import EvaluationResult, evaluate_seen_unseen
from tagtower.index.build import build_index
from tagtower.library.tags import TagLibrary, normalize_tag
from tagtower.pipeline.extract import Failed
from tagtower.pipeline.vectors import Embedded, embed_videos
from tagtower.records import MODALITIES, Example, Modality, Problems, Split
from tagtower.training.positives import resolve_tags
from tagtower.training.splits import assign_splits, examples_in
from tagtower.usecases.progress import Progress, Silent
from tagtower.usecases.session import Session


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The metrics of one model on one split, and the arrays that they were computed from."""

    result: EvaluationResult
    gates: dict[Modality, float]
    examples: tuple[Example, ...]
    embedded: tuple[Embedded, ...]
    distances: Float[np.ndarray, "video tag"]
    relevant: Bool[np.ndarray, "video tag"]
    seen: Bool[np.ndarray, "tag"]
    failures: tuple[Failed, ...]
    library: TagLibrary
    model: str

    def to_json(self) -> dict[str, Any]:
        """Return what `evaluate --json` prints, less the schema number."""
        return {
            "videos": len(self.examples),
            "tags": len(self.library),
            "model": self.model,
            "library": self.library.version,
            **self.result.to_json(),
            "gates": self.gates,
        }


def evaluate(
    session: Session,
    examples: Sequence[Example],
    library: TagLibrary,
    *,
    split: Split = "test",
    modalities: Collection[Modality] = MODALITIES,
    problems: Problems | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Return the metrics over the examples of `split`; videos that cannot be read are left out and listed.

    Raises:
        UsageError: the model reads none of `modalities`.
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
    progress.phase("tags", None)
    index = build_index(session.tags.encode(library.texts), tower.settings.distance.kind)
    progress.phase(f"videos of {split}", len(chosen))
    kept: list[tuple[Example, Embedded]] = []
    failures: list[Failed] = []
    stream = session.extractor.extract(example.video for example in chosen)
    for example, one in zip(chosen, embed_videos(tower, stream, modalities=modalities), strict=True):
        if isinstance(one, Failed):
            failures.append(one)
        else:
            kept.append((example, one))
        progress.advance()
    if not kept:
        raise ManifestError(
            f"None of the {len(chosen)} videos of split {split!r} could be read; the first: {failures[0].error.message}"
        )
    progress.phase("ranking", None)
    embedded = tuple(one for _, one in kept)
    distances = index.distances(np.stack([one.vector for one in embedded]))
    relevant = _relevance([example for example, _ in kept], library, problems)
    if not relevant.any():
        raise ManifestError(
            f"No video of split {split!r} has a tag of the library.",
            hint="Are this manifest and this library a pair?",
        )
    known = {normalize_tag(tag) for tag in session.model.training_tags}
    seen = np.array([normalize_tag(text) in known for text in library.texts])
    weights = {
        modality: float(np.mean([one.weights[modality] for one in embedded])) for modality in tower.modalities
    }
    return Evaluation(
        result=evaluate_seen_unseen(distances, relevant, seen),
        gates=weights,
        examples=tuple(example for example, _ in kept),
        embedded=embedded,
        distances=distances,
        relevant=relevant,
        seen=seen,
        failures=tuple(failures),
        library=library,
        model=session.model.vector_fingerprint,
    )


def _relevance(
    examples: Sequence[Example], library: TagLibrary, problems: Problems
) -> Bool[np.ndarray, "video tag"]:
    relevant = np.zeros((len(examples), len(library)), bool)
    for row, tags in enumerate(resolve_tags(examples, library, problems)):
        relevant[row, list(tags)] = True
    return relevant
