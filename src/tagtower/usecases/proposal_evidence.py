"""What spoke for the first tags of single videos of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tagtower.pipeline.extract import Extracted
from tagtower.ranking.order import EvidenceSource
from tagtower.records import Evidence, RankedTag
from tagtower.usecases.evaluate import Evaluation
from tagtower.usecases.session import Session
from tagtower.usecases.witness import TowerWitness


def proposal_evidence(
    session: Session, evaluation: Evaluation, rows: Sequence[int], tags: Sequence[Sequence[int]]
) -> list[tuple[Evidence, ...]]:
    """Return the evidence for the chosen `tags` of each of the evaluation's videos in `rows`, in their order.

    Only what the evaluation heard is evidence. The towers say nothing of a video that can no longer be read.
    """
    if not rows:
        return []
    beside = _beside_the_towers(session, evaluation, rows)
    videos = [evaluation.examples[row].video for row in rows]
    witness = TowerWitness(session, evaluation.library)
    found = []
    for row, chosen, extracted in zip(rows, tags, session.extractor.extract(videos), strict=True):
        source, place = beside[row]
        ranked = [
            RankedTag(
                evaluation.library.texts[tag],
                int(evaluation.places[row, tag]) + 1,
                float(evaluation.distances[row, tag]),
                evidence=source(place, tag),
            )
            for tag in chosen
        ]
        if isinstance(extracted, Extracted):
            heard = tuple(one.only(evaluation.modalities) for one in extracted.features)
            ranked = witness(replace(extracted, features=heard), evaluation.embedded[row], ranked)
        found.append(tuple(tag.evidence for tag in ranked))
    return found


def _beside_the_towers(
    session: Session, evaluation: Evaluation, rows: Sequence[int]
) -> dict[int, tuple[EvidenceSource, int]]:
    """For each row what knows its evidence, and its place there: rows are ranked beside the videos of their fold."""
    found: dict[int, tuple[EvidenceSource, int]] = {}
    for fold in evaluation.folds:
        here = [row for row in rows if row in set(fold.rows)]
        if not here:
            continue
        order = session.orders.order(
            evaluation.library, evaluation.ranker, evaluation.neighbours, fold.without
        )
        vectors = np.stack([evaluation.embedded[row].vector for row in here])
        blocks = order(vectors, [evaluation.words[row] for row in here])
        placed = ((block.evidence, place) for block in blocks for place in range(len(block.places)))
        found.update(zip(here, placed, strict=True))
    return found
