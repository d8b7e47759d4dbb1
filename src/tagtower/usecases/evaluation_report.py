"""The HTML report of an evaluation: its numbers, and the videos at both ends with a picture of each."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from tagtower.config.explain import all_settings
from tagtower.errors import MediaError
from tagtower.evaluation.gates import GateWeights
from tagtower.evaluation.metrics import video_scores
from tagtower.evaluation.report.data import EpochPoint, ReportData, VideoCard
from tagtower.evaluation.report.page import write_report
from tagtower.evaluation.report.rows import best_and_worst, first_tags, tag_rows, video_card
from tagtower.evaluation.tag_table import tag_table
from tagtower.media.isolation import Decoder
from tagtower.media.picture import encode_jpeg
from tagtower.media.records import DecodeRequest, FrameRequest
from tagtower.towers import LoadedModel
from tagtower.training.history import EpochRecord
from tagtower.usecases.evaluate import Evaluation
from tagtower.usecases.proposal_evidence import proposal_evidence
from tagtower.usecases.session import Session

SHOWN_VIDEOS = 8
"""Videos shown at either end."""

THUMBNAIL = 240
"""Side of a thumbnail (pixels)."""


def write_evaluation_report(path: Path, session: Session, evaluation: Evaluation, split: str) -> None:
    """Write the report of `evaluation` as one self-contained HTML file.

    Raises:
        StorageError: the file cannot be written.
    """
    scores = video_scores(evaluation.places, evaluation.relevant)
    best, worst = best_and_worst(scores, SHOWN_VIDEOS)
    texts, seen = evaluation.library.texts, evaluation.seen

    shown = [int(row) for row in (*best, *worst)]
    proposed = [first_tags(evaluation.places[row]) for row in shown]
    evidence = dict(zip(shown, proposal_evidence(session, evaluation, shown, proposed), strict=True))

    def card(row: int) -> VideoCard:
        video = evaluation.examples[row].video
        return video_card(
            video,
            evaluation.places[row],
            evaluation.distances[row],
            evaluation.relevant[row],
            seen,
            texts,
            float(scores.ndcg_at_10[row]),
            _thumbnail(session.decoder, video.media),
            evidence[row],
        )

    table = tag_table(evaluation.places, evaluation.relevant)
    write_report(
        path,
        ReportData(
            title=f"{session.model.folder.name or 'model'} on {split}",
            created=datetime.now(UTC),
            split=split,
            result=evaluation.result,
            scores=scores,
            seen_tags=int(seen.sum()),
            unseen_tags=int((~seen).sum()),
            best=tuple(card(int(row)) for row in best),
            worst=tuple(card(int(row)) for row in worst),
            tags=tag_rows(table, seen, texts),
            gates=_gates(session, evaluation),
            calibration=evaluation.calibration,
            training=_training(session.model),
            facts=_facts(session, evaluation, split),
            settings=_settings(session),
        ),
    )


def _thumbnail(decoder: Decoder, media: str | None) -> bytes | None:
    if media is None:
        return None
    request = FrameRequest(frames=1, max_parts=1, resize=THUMBNAIL, crop=THUMBNAIL)
    try:
        frames = decoder.decode(media, DecodeRequest(frames=request)).frames
    except MediaError:
        return None
    return encode_jpeg(frames[0].frames[0]) if frames else None


def _gates(session: Session, evaluation: Evaluation) -> GateWeights:
    modalities = session.model.tower.modalities
    weights = np.array([[one.weights[modality] for modality in modalities] for one in evaluation.embedded])
    return GateWeights(modalities, weights, np.stack([one.present for one in evaluation.embedded]))


def _training(model: LoadedModel) -> tuple[EpochPoint, ...]:
    hinged = model.tower.settings.loss.name == "triplet"
    records = (EpochRecord.from_json(one) for one in model.metrics.get("history", ()))
    return tuple(
        EpochPoint(one.epoch, one.loss, one.metrics.ndcg_at_10, one.active if hinged else None)
        for one in records
        if one.loss is not None
    )


def _facts(session: Session, evaluation: Evaluation, split: str) -> dict[str, dict[str, str]]:
    tower = session.model.tower
    return {
        "Data": {
            "split": split,
            "videos": f"{len(evaluation.examples):,}",
            "videos left out": f"{len(evaluation.failures):,}",
            "tags in the library": f"{len(evaluation.library):,}",
            "library version": evaluation.library.version,
        },
        "Model": {
            "folder": str(session.model.folder),
            "fingerprint": evaluation.model,
            "order": "by the learned ranker" if evaluation.ranker == "hybrid" else "by distance",
            "reads": ", ".join(tower.modalities),
            "width of the shared space": str(tower.width),
            "distance": tower.settings.distance.kind,
            "parameters": f"{sum(one.numel() for one in tower.parameters()):,}",
        },
    }


def _settings(session: Session) -> dict[str, str]:
    values = session.model.tower.settings.model_dump(mode="json")
    return {one.key: str(values[one.key.split(".")[0]][one.key.split(".")[1]]) for one in all_settings()}
