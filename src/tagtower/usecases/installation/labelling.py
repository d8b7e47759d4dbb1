"""Labelling stored videos: what the active model sees in each, and which tags of the present library that means.

Looking at a video takes most of the time and knows no tags. Answering takes milliseconds and is done last, so that a
change of the library is in every answer that is given after it.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, final

import numpy as np
from jaxtyping import Bool, Int64
from sqlalchemy import Connection, func, select

from tagtower.errors import InputError
from tagtower.library.models import ModelRecord
from tagtower.library.schema import barred, tags
from tagtower.library.snapshot import TagSnapshot, TagSource
from tagtower.library.suggestions import Suggested
from tagtower.library.vectors import VectorStore
from tagtower.pipeline.extract import Failed
from tagtower.pipeline.moments import FrameVectors, frame_vectors
from tagtower.pipeline.vectors import Embedded, embed_videos
from tagtower.pipeline.words import words_of
from tagtower.ranking.neighbours import LabelledVideos
from tagtower.ranking.order import Ordered, TagOrder
from tagtower.records import Evidence, Modality, RankedTag, TextField
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.media import InstallationMedia, StoredVideo, as_video
from tagtower.usecases.installation.neighbours import ShelfNeighbours
from tagtower.usecases.label import evidence_json
from tagtower.usecases.session import Device, Session, open_session
from tagtower.usecases.witness import TowerWitness

REBUILD_SHARE = 0.1
"""Share of the time that new neighbours may take: the next ones wait ten times as long as the last took."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A stored video as the model sees it, whatever the tag library: its vector, those of its frames, its words."""

    id: int
    embedded: Embedded
    frames: FrameVectors | None
    texts: Mapping[TextField, str]

    @property
    def modalities(self) -> dict[Modality, float]:
        """The gate's weights."""
        return self.embedded.weights


@dataclass(frozen=True, slots=True)
class NotSeen:
    """A stored video that cannot be looked at, and why."""

    id: int
    error: InputError


@dataclass(frozen=True, slots=True)
class Answer:
    """The tags that a model suggests for a stored video, and the version of the library that they come from."""

    video_id: int
    suggested: tuple[Suggested, ...]
    tags: tuple[RankedTag, ...]
    library_version: int


@final
class Labeller:
    """The active model at work on stored videos. Use `open_labeller`.

    Its neighbours are those of the model's training and, with a ranker, the judged videos of the labelled shelf.
    """

    def __init__(
        self,
        installation: Installation,
        model: ModelRecord,
        session: Session,
        tags: TagSource,
        vectors: VectorStore,
    ) -> None:
        self.model = model
        self.session = session
        self.vectors = vectors
        self._installation = installation
        self._tags = tags
        self._ranker = session.orders.ranker(None)
        self._fields = session.model.tower.settings.ranking.fields
        own = session.orders.ranking.neighbours
        self._neighbours = ShelfNeighbours(
            installation.database,
            vectors,
            model.id,
            model.width,
            self._fields,
            () if own is None else own.ids,
        )
        self._further: LabelledVideos | None = None
        self._rebuild_at = -float("inf")

    def see(self, videos: Iterable[StoredVideo], *, ahead: int = 8) -> Iterator[Seen | NotSeen]:
        """Yield each video as the model sees it, in order; one that cannot be looked at takes its place.

        Args:
            videos: read lazily, `ahead` at a time, while those before are decoded.
        Raises:
            StorageError: the media or feature store cannot be reached, or the disk is full.
        """
        tower = self.session.model.tower
        stream = self.session.extractor.extract((as_video(one) for one in videos), titles_ahead=ahead)
        for extracted in stream:
            if isinstance(extracted, Failed):
                yield NotSeen(int(extracted.video.id), extracted.error)
                continue
            # One at a time, as `label` does: an answer hangs on no neighbour's padding.
            (one,) = embed_videos(tower, [extracted], batch_size=1)
            assert isinstance(one, Embedded), "no modality is left out"
            yield Seen(
                int(one.video.id),
                one,
                frame_vectors(tower, extracted),
                words_of(one.video, self._fields).texts,
            )

    def prepare(self) -> TagSnapshot:
        """Make ready for answers from the library as it is now, and return it."""
        snapshot = self._tags.current(self._installation.clock())
        if len(snapshot.library):
            self._order(snapshot)
        return snapshot

    def answer(self, seen: Sequence[Seen], *, top_k: int | None = None) -> list[Answer]:
        """Return the tags that the present library has for each video, best first, at most `top_k`.

        Tags barred for a video are left out, and those less probable than the threshold that a person gave them. A
        threshold says nothing where the model has no calibration.

        Args:
            top_k: default what the settings say.
        """
        snapshot = self.prepare()
        if not seen or not len(snapshot.library):
            return [Answer(one.id, (), (), snapshot.version) for one in seen]
        top_k = self._installation.settings.worker.top_k if top_k is None else top_k
        order = self._order(snapshot)
        with self._installation.database.read() as connection:
            ids = [one.id for one in seen]
            names = self._neighbours.names_of(connection, ids)
            hidden = _barred(connection, ids)
        witness = TowerWitness(self.session, snapshot.library)
        vectors = np.stack([one.embedded.vector for one in seen])
        answers = []
        places = iter(seen)
        for block in order(vectors, [one.texts for one in seen], [names[one.id] for one in seen]):
            videos = list(islice(places, len(block.distances)))
            chosen = [
                block.first(row, top_k, _allowed(block, row, snapshot, hidden.get(one.id, ())))
                for row, one in enumerate(videos)
            ]
            ranked = witness.of_all(
                [
                    (one.embedded, one.frames, _ranked(block, row, chosen[row], snapshot))
                    for row, one in enumerate(videos)
                ]
            )
            answers += [
                Answer(one.id, self._suggested(tags, own, snapshot), tuple(tags), snapshot.version)
                for one, tags, own in zip(videos, ranked, chosen, strict=True)
            ]
        return answers

    def _order(self, snapshot: TagSnapshot) -> TagOrder:
        """The order of the library's tags; new neighbours join it as often as they may."""
        if self._ranker == "tower":
            return self.session.orders.order(snapshot.library, "tower")
        start = time.monotonic()
        further = self._neighbours.current(snapshot)
        joins = further is not self._further and start >= self._rebuild_at
        if joins:
            self._further = further
        order = self.session.orders.order(snapshot.library, self._ranker, self._further)
        if joins:
            end = time.monotonic()
            self._rebuild_at = end + (end - start) / REBUILD_SHARE
        return order

    def _suggested(
        self, ranked: Sequence[RankedTag], places: Int64[np.ndarray, "some"], snapshot: TagSnapshot
    ) -> tuple[Suggested, ...]:
        return tuple(
            Suggested(snapshot.ids[place], tag.rank, tag.distance, tag.score, self._evidence(tag.evidence))
            for tag, place in zip(ranked, places.tolist(), strict=True)
        )

    def _evidence(self, evidence: Evidence) -> dict[str, Any]:
        """What spoke for a tag, with the number of each neighbour that is a stored video."""
        found = evidence_json(evidence)
        for one in found["neighbours"]:
            number = self._neighbours.number_of(one["id"])
            if number is not None:
                one["video"] = number
        return found


@contextmanager
def open_labeller(
    installation: Installation,
    model: ModelRecord,
    *,
    tags: TagSource,
    vectors: VectorStore,
    device: Device = "auto",
    threads: int | None = None,
) -> Iterator[Labeller]:
    """Open a model of the installation for labelling.

    Args:
        threads: CPU threads of the towers, 0 for one per core; default what the model was trained with.
    Raises:
        ModelError: the model's folder is damaged.
    """
    with open_session(
        installation.models / model.folder,
        store=installation.features,
        device=device,
        threads=threads,
        limits=installation.settings.media,
        places=InstallationMedia(installation.media),
    ) as session:
        yield Labeller(installation, model, session, tags, vectors)


def _ranked(
    block: Ordered, row: int, places: Int64[np.ndarray, "some"], snapshot: TagSnapshot
) -> list[RankedTag]:
    scores = block.probabilities_of(row, places)
    return [
        RankedTag(
            snapshot.library.texts[place],
            rank,
            float(block.distances[row, place]),
            None if scores is None else float(scores[rank - 1]),
            block.evidence(row, place),
        )
        for rank, place in enumerate(places.tolist(), start=1)
    ]


def _allowed(
    block: Ordered, row: int, snapshot: TagSnapshot, hidden: Iterable[int]
) -> Bool[np.ndarray, "tag"] | None:
    """Which tags may be suggested for a video; None where all may."""
    bounded = np.flatnonzero(~np.isnan(snapshot.thresholds))
    probable = block.probabilities_of(row, bounded) if len(bounded) else None
    out = bounded[:0] if probable is None else bounded[probable < snapshot.thresholds[bounded]]
    gone = [place for tag_id in hidden if (place := _place_of(snapshot, tag_id)) is not None]
    if not len(out) and not gone:
        return None
    kept = np.ones(len(snapshot.library), bool)
    kept[out] = False
    kept[gone] = False
    return kept


def _place_of(snapshot: TagSnapshot, tag_id: int) -> int | None:
    place = bisect_left(snapshot.ids, tag_id)
    return place if place < len(snapshot.ids) and snapshot.ids[place] == tag_id else None


def _barred(connection: Connection, video_ids: Sequence[int]) -> dict[int, list[int]]:
    """The tags that are barred for some videos; one that was merged bars the other."""
    found: dict[int, list[int]] = {}
    rows = (
        select(barred.c.video_id, func.coalesce(tags.c.merged_into, tags.c.id))
        .join(tags, tags.c.id == barred.c.tag_id)
        .where(barred.c.video_id.in_(video_ids))
    )
    for video_id, tag_id in connection.execute(rows):
        found.setdefault(video_id, []).append(tag_id)
    return found
