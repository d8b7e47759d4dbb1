"""Label: the tags of a library that fit each video, streamed as they are ready."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tagtower.errors import MediaError, TagTowerError, UsageError
from tagtower.library.tags import TagLibrary
from tagtower.pipeline.extract import Failed
from tagtower.pipeline.moments import frame_vectors
from tagtower.pipeline.vectors import Embedded, embed_videos
from tagtower.pipeline.words import words_of
from tagtower.ranking.neighbours import LabelledVideos
from tagtower.ranking.select import rank_tags
from tagtower.records import MODALITIES, Evidence, Modality, RankedTag, Video
from tagtower.usecases.ranking import RankerName
from tagtower.usecases.session import Session
from tagtower.usecases.witness import TowerWitness


@dataclass(frozen=True, slots=True)
class Labelled:
    """A video with its ranked tags, the gate's weights, and what the answer was made with.

    `model` is the model's fingerprint, the ranking part included, and `ranker` what put the tags in order.
    """

    video: Video
    tags: tuple[RankedTag, ...]
    modalities: dict[Modality, float]
    model: str
    ranker: RankerName
    library: str
    seconds: float
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the answer as `label --json` prints it, less the schema number."""
        return {
            **named(self.video),
            "model": self.model,
            "library": self.library,
            "ranker": self.ranker,
            "tags": [_tag_json(tag) for tag in self.tags],
            "modalities": {modality: round(self.modalities.get(modality, 0.0), 6) for modality in MODALITIES},
            "seconds": round(self.seconds, 4),
        }


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """A video that could not be labelled, and why."""

    video: Video
    error: TagTowerError

    def to_json(self) -> dict[str, Any]:
        """Return the failure as `label --json` prints it, less the schema number."""
        kind = self.error.cause if isinstance(self.error, MediaError) else type(self.error).__name__
        return {**named(self.video), "error": {"type": kind, "message": self.error.message}}


def label(
    session: Session,
    videos: Iterable[Video],
    library: TagLibrary,
    *,
    top_k: int | None = None,
    max_distance: float | None = None,
    precision: float | None = None,
    ranker: RankerName | None = None,
    neighbours: LabelledVideos | None = None,
    evidence: bool = True,
    choose: Callable[[Video, Sequence[RankedTag]], Sequence[RankedTag]] | None = None,
) -> Iterator[Labelled | Unlabelled]:
    """Yield the tags of each video, in order; a video that fails takes its place and the rest goes on.

    The tags of the library are encoded once, and found again on the next call with the same model. `top_k`,
    `max_distance` and `precision` limit the answer; without any every tag of the library comes back.

    Args:
        precision: show only tags so probable that on the validation videos such tags were right this often; a
            video may then get none.
        ranker: what orders the tags; default the best that the model has.
        neighbours: labelled videos that join those of the model, with vectors of this model.
        evidence: say of every tag that is shown which modality and which second speak for it; costs a look at
            each frame by itself where the picture network is not frozen.
        choose: says which of a video's tags, as far as the limits let them through, are shown and in which order.
    Raises:
        UsageError: the model has no ranker or no calibration, or never reached that precision.
    """
    tower, name = session.model.tower, session.orders.ranker(ranker)
    order = session.orders.order(library, name, neighbours)
    min_score = None
    if precision is not None:
        if order.calibration is None:
            raise UsageError(
                "This model has no calibration, so no precision can be promised.",
                hint="Train with more validation videos, or limit the answer by --top-k or --max-distance.",
            )
        min_score = order.calibration.threshold(precision)
    witness = TowerWitness(session, library) if evidence else None
    for extracted in session.extractor.extract(videos):
        if isinstance(extracted, Failed):
            yield Unlabelled(extracted.video, extracted.error)
            continue
        # One at a time: an answer comes as soon as it is known, and hangs on no neighbour's padding.
        (one,) = embed_videos(tower, [extracted], batch_size=1)
        assert isinstance(one, Embedded), "no modality is left out"
        words = words_of(one.video, tower.settings.ranking.fields).texts
        (ordered,) = order(one.vector[None], [words], [one.video.id])
        tags = rank_tags(
            ordered, 0, library.texts, top_k=top_k, max_distance=max_distance, min_score=min_score
        )
        if choose is not None:
            tags = [*choose(one.video, tags)]
        yield Labelled(
            one.video,
            tuple(tags if witness is None else witness(one, frame_vectors(tower, extracted), tags)),
            one.weights,
            session.model.model_fingerprint,
            name,
            library.version,
            one.seconds,
            one.warnings,
        )


def remaining(videos: Sequence[Video], done: Iterable[dict[str, Any]]) -> list[Video]:
    """Return the videos that have no answer among `done`, the parsed lines of an earlier output.

    A line with an error does not count as an answer: its video is tried again.
    """
    answered = {(line.get("id"), line.get("video")) for line in done if "tags" in line}
    return [video for video in videos if (video.id, _shown(video)) not in answered]


def _tag_json(tag: RankedTag) -> dict[str, Any]:
    return {
        "tag": tag.tag,
        "rank": tag.rank,
        "distance": tag.distance,
        "score": tag.score,
        "evidence": evidence_json(tag.evidence),
    }


def evidence_json(evidence: Evidence) -> dict[str, Any]:
    """Return what spoke for a tag as JSON shows it."""
    return {
        "neighbours": [{"id": one.id, "weight": round(one.weight, 6)} for one in evidence.neighbours],
        "mentions": [{"text": one.text, "field": one.field} for one in evidence.mentions],
        "modalities": {
            one.modality: {
                "weight": round(one.weight, 6),
                "gain": None if one.gain is None else round(one.gain, 6),
            }
            for one in evidence.modalities
        },
        "second": None if evidence.second is None else round(evidence.second, 3),
    }


def named(video: Video) -> dict[str, Any]:
    """Return what names a video in an answer: id, media as a person knows them, and title."""
    return {"id": video.id, "video": _shown(video), "title": video.title}


def _shown(video: Video) -> str | None:
    """The media as a person knows it: relative to where they stand, if it lies below."""
    if video.media is None or "://" in video.media:
        return video.media
    here = f"{Path.cwd()}{os.sep}"
    return video.media.removeprefix(here)
