"""What spoke for the first tags of single videos of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tagtower.pipeline.extract import Extracted
from tagtower.pipeline.moments import frame_vectors
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
    videos = [evaluation.examples[row].video for row in rows]
    blocks = evaluation.order(
        np.stack([evaluation.embedded[row].vector for row in rows]),
        [evaluation.words[row] for row in rows],
        [video.id for video in videos],
    )
    beside = ((block.evidence, place) for block in blocks for place in range(len(block.distances)))
    witness = TowerWitness(session, evaluation.library)
    found = []
    streams = zip(rows, tags, beside, session.extractor.extract(videos), strict=True)
    for row, chosen, (source, place), extracted in streams:
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
            frames = frame_vectors(session.model.tower, replace(extracted, features=heard))
            ranked = witness(evaluation.embedded[row], frames, ranked)
        found.append(tuple(tag.evidence for tag in ranked))
    return found
