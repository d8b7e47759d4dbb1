"""The labelled shelf as neighbours of new videos: those of whose tags a person has spoken.

A video becomes a neighbour by verdicts alone, with the tags that were accepted or added. What a model suggested and
nobody judged is no label: a model that learned from its own guesses would only grow surer of them.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeAlias, final

import numpy as np
from sqlalchemy import Connection, func, select

from tagtower.library.database import Database
from tagtower.library.schema import tags, verdicts, video_references, videos
from tagtower.library.snapshot import TagSnapshot
from tagtower.library.vectors import VectorStore
from tagtower.pipeline.words import words_of
from tagtower.ranking.neighbours import LabelledVideo, LabelledVideos, join_neighbours, labelled_videos
from tagtower.records import TextField
from tagtower.usecases.installation.media import as_video

OVERLAP = timedelta(seconds=30)
"""How far words are read back that were seen before: clocks differ, and a transaction may commit late."""

WHOLE_LOOK_SECONDS, WHOLE_LOOK_SHARE = 10.0, 0.05
"""How often all words are counted, so that a withdrawn one is missed, and which share of the time that may take."""

AT_A_TIME = 400

NOWHERE = "\0"
"""Begins the name of a tag that may not be suggested now: no tag of a library can be called so."""

Signature: TypeAlias = tuple[int, datetime]
"""How many words there are on a video, and when the last was spoken."""


@final
class ShelfNeighbours:
    """Keeps the judged videos of the labelled shelf in memory; after the first look only changes are read.

    Args:
        model_ids: names of the videos that the model brings along from its training. A stored video that was handed
            in under such a name is that video, and not a second one like it.
    """

    def __init__(
        self,
        database: Database,
        vectors: VectorStore,
        model_id: int,
        width: int,
        fields: Sequence[TextField],
        model_ids: Collection[str] = (),
    ) -> None:
        self._database = database
        self._vectors = vectors
        self._model_id = model_id
        self._fields = tuple(fields)
        self._model_ids = frozenset(model_ids)
        self._seen: dict[int, Signature] = {}
        self._waiting: set[int] = set()  # judged, and without a vector yet
        self._newest: datetime | None = None
        self._whole_look_at = -float("inf")
        self._rows: dict[int, LabelledVideo] = {}
        self._numbers: dict[str, int] = {}
        # Its tags are named by their numbers, which outlive every change of the library.
        self._videos = labelled_videos([], np.zeros((0, width), np.float32))
        self._named: tuple[LabelledVideos, int, LabelledVideos] | None = None

    def current(self, snapshot: TagSnapshot) -> LabelledVideos | None:
        """Return the judged videos, their tags as the library calls them now; None where there are none.

        It is the same object as long as nothing has changed.

        Raises:
            DatabaseError: the database is gone.
        """
        with self._database.read() as connection:
            self._catch_up(connection)
            if not len(self._videos):
                return None
            if self._named is not None and self._named[:2] == (self._videos, snapshot.version):
                return self._named[2]
            names = _names(connection, self._videos.tag_texts, snapshot)
        same = self._named is not None and self._named[0] is self._videos
        if not (same and self._named is not None and self._named[2].tag_texts == names):
            self._named = (self._videos, snapshot.version, replace(self._videos, tag_texts=names))
        assert self._named is not None
        self._named = (self._videos, snapshot.version, self._named[2])
        return self._named[2]

    def names_of(self, connection: Connection, video_ids: Sequence[int]) -> dict[int, str]:
        """Return how each of some stored videos is called among the neighbours."""
        names = {video_id: f"video:{video_id}" for video_id in video_ids}
        if self._model_ids:
            for part in _parts(video_ids):
                rows = select(video_references.c.video_id, video_references.c.name).where(
                    video_references.c.video_id.in_(part)
                )
                for video_id, name in connection.execute(rows.order_by(video_references.c.id.desc())):
                    if name in self._model_ids:
                        names[video_id] = name
        return names

    def number_of(self, name: str) -> int | None:
        """Return the stored video that has a name among the neighbours."""
        return self._numbers.get(name)

    def _catch_up(self, connection: Connection) -> None:
        newest = connection.scalar(select(func.max(verdicts.c.at)))
        start = time.monotonic()
        found: dict[int, Signature]
        if start >= self._whole_look_at:
            found = _signatures(connection)
            changed = {
                one for one in found.keys() | self._seen.keys() if found.get(one) != self._seen.get(one)
            }
            self._seen = found
            taken = time.monotonic() - start
            self._whole_look_at = start + max(WHOLE_LOOK_SECONDS, taken / WHOLE_LOOK_SHARE)
        elif newest != self._newest and newest is not None:
            since = verdicts.c.at > (self._newest or newest) - OVERLAP
            recent = connection.scalars(select(verdicts.c.video_id).where(since).distinct()).all()
            found = {}
            for part in _parts(recent):
                found |= _signatures(connection, part)
            changed = {one for one, signature in found.items() if signature != self._seen.get(one)}
            self._seen |= found
        else:
            changed = set()
        self._newest = newest
        if changed := changed | self._waiting:
            self._reload(connection, sorted(changed))

    def _reload(self, connection: Connection, changed: Sequence[int]) -> None:
        """Read these videos anew, and put them in place of what was known of them."""
        fresh: dict[int, LabelledVideo] = {}
        vectors: dict[int, np.ndarray] = {}
        self._waiting -= set(changed)
        for part in _parts(changed):
            accepted = _accepted(connection, part)
            fresh |= self._read(connection, accepted)
            ids, found = self._vectors.get(connection, self._model_id, sorted(accepted))
            vectors |= zip(ids.tolist(), found, strict=True)
            self._waiting |= accepted.keys() - vectors.keys()
        fresh = {one: row for one, row in fresh.items() if one in vectors}
        altered = [one for one in changed if fresh.get(one) != self._rows.get(one)]
        if not altered:
            return
        gone = {self._rows[one].id for one in altered if one in self._rows}
        for one in altered:
            self._rows.pop(one, None)
        new = {one: fresh[one] for one in altered if one in fresh}
        self._rows |= new
        self._numbers = {row.id: one for one, row in self._rows.items()}
        kept = self._videos.take([row for row, name in enumerate(self._videos.ids) if name not in gone])
        if new:
            rows = np.stack([vectors[one] for one in new]).astype(np.float32)
            kept = join_neighbours(kept, labelled_videos(list(new.values()), rows))
        self._videos = kept

    def _read(self, connection: Connection, accepted: dict[int, tuple[str, ...]]) -> dict[int, LabelledVideo]:
        chosen = sorted(accepted)
        names = self.names_of(connection, chosen)
        rows = connection.execute(select(videos).where(videos.c.id.in_(chosen)))
        return {
            row.id: LabelledVideo(
                names[row.id],
                accepted[row.id],
                " ".join(words_of(as_video(row), self._fields).texts.values()),
                row.published_at,
            )
            for row in rows
        }


def _signatures(connection: Connection, video_ids: Sequence[int] | None = None) -> dict[int, Signature]:
    query = select(verdicts.c.video_id, func.count(), func.max(verdicts.c.at)).group_by(verdicts.c.video_id)
    if video_ids is not None:
        query = query.where(verdicts.c.video_id.in_(video_ids))
    return {video_id: (count, at) for video_id, count, at in connection.execute(query)}


def _accepted(connection: Connection, video_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """The tags, by number, that persons said yes to; of several words on a tag and those merged into it the last."""
    owner = func.coalesce(tags.c.merged_into, tags.c.id)
    rows = connection.execute(
        select(verdicts.c.video_id, owner, verdicts.c.tag_id, verdicts.c.verdict)
        .join(tags, tags.c.id == verdicts.c.tag_id)
        .where(verdicts.c.video_id.in_(video_ids))
        .order_by(verdicts.c.at, verdicts.c.tag_id)
    )
    last = {(video_id, tag): (tag_id, verdict) for video_id, tag, tag_id, verdict in rows}
    found: dict[int, list[str]] = {}
    for (video_id, _), (tag_id, verdict) in sorted(last.items()):
        if verdict != "reject":
            found.setdefault(video_id, []).append(str(tag_id))
    return {video_id: tuple(own) for video_id, own in found.items()}


def _names(connection: Connection, numbers: Sequence[str], snapshot: TagSnapshot) -> tuple[str, ...]:
    """What the library calls each tag now; a tag that was merged goes by the other's name."""
    wanted = np.array(numbers, np.int64)
    ids = np.array(snapshot.ids, np.int64)
    owners = {int(one): int(one) for one in wanted}
    elsewhere = wanted[~np.isin(wanted, ids)].tolist()
    for part in _parts(elsewhere):
        rows = connection.execute(
            select(tags.c.id, tags.c.merged_into).where(tags.c.id.in_(part), tags.c.merged_into.is_not(None))
        )
        owners |= {row.id: row.merged_into for row in rows}
    places = {int(ids[place]): place for place in np.flatnonzero(np.isin(ids, list(owners.values())))}
    return tuple(
        snapshot.library.texts[places[owners[one]]] if owners[one] in places else f"{NOWHERE}{one}"
        for one in wanted.tolist()
    )


def _parts(values: Iterable[int]) -> list[list[int]]:
    every = list(values)
    return [every[start : start + AT_A_TIME] for start in range(0, len(every), AT_A_TIME)]
