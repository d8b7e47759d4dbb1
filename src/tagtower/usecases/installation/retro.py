"""Retro-tagging: a new tag finds the stored videos that it fits, before it is added and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from tagtower.errors import ConflictError, TagLibraryError
from tagtower.library.curation.committing import library_version
from tagtower.library.curation.reading import find_standing
from tagtower.library.curation.sweeping import ask_for_sweeps
from tagtower.library.models import ModelRecord, active_model, find_model
from tagtower.library.schema import tag_names, videos
from tagtower.library.schema import vectors as vector_rows
from tagtower.library.suggestions import Suggested, add_retro
from tagtower.library.sweeps import (
    SweepLease,
    SweptTag,
    finish_sweeps,
    forget_other_hits,
    refused_videos,
    renew_sweeps,
    take_sweeps,
)
from tagtower.library.tags import normalize_tag, tag_fault
from tagtower.library.vectors import VectorStore, vector_store
from tagtower.records import Tag
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.sessions import model_session
from tagtower.usecases.installation.sweeping import TAGS_AT_ONCE, Hits, Limit, sweep_tags
from tagtower.usecases.session import Device, Session

WRITTEN_AT_ONCE = 500
"""Suggestions in one transaction, so that other writers need not wait long."""


@dataclass(frozen=True, slots=True)
class PreviewHit:
    """A stored video that a tag would be suggested on."""

    video: int
    title: str | None
    distance: float
    score: float | None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a tag would do if it were added: how many of the stored videos it fits, and the nearest of them.

    `suggested` is on how many of them it would be suggested. `taken` is the tag of the library that has the name
    already, if there is one.
    """

    text: str
    model: str
    library_version: int
    stored: int
    count: int
    suggested: int
    limit: Limit
    hits: tuple[PreviewHit, ...]
    taken: str | None

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return {
            "tag": self.text,
            "model": self.model,
            "library_version": self.library_version,
            "videos": self.stored,
            "hits": self.count,
            "suggested": self.suggested,
            "limit": {
                "distance": None if self.limit.distance < 0 else self.limit.distance,
                "probability": self.limit.probability,
                "reason": self.limit.reason,
            },
            "nearest": [
                {"video": one.video, "title": one.title, "distance": one.distance, "score": one.score}
                for one in self.hits
            ],
            "taken": self.taken,
        }


def preview(
    installation: Installation,
    text: str,
    aliases: Sequence[str] = (),
    *,
    description: str | None = None,
    threshold: float | None = None,
    shown: int = 10,
    session: Session | None = None,
    vectors: VectorStore | None = None,
    device: Device = "auto",
    threads: int | None = None,
) -> Preview:
    """Return on which stored videos a tag would be suggested, if it were added; nothing is changed.

    Args:
        threshold: a probability in [0, 1] in place of the one that the settings ask for.
        shown: of so many videos the title is told.
        session: the active model, where it is open already.
        vectors: the store of vectors, where there is one already.
        device, threads: where and on how many threads a model that is not open yet runs.
    Raises:
        TagLibraryError: the text can be no tag.
        ConflictError: there is no active model, or another than that of `session`.
    """
    for name in (text, *aliases):
        if (fault := tag_fault(name)) is not None:
            raise TagLibraryError(f"This can be no tag: {fault}.", hint="Give a short text.")
    vectors = vectors or vector_store(installation.database, installation.vectors)
    most = installation.settings.suggestions.most_hits
    with installation.database.read() as connection:
        model = _active(connection)
    tag = SweptTag(0, Tag(text, tuple(aliases), description), threshold)
    with (
        model_session(installation, model, session, device=device, threads=threads) as opened,
        installation.database.read() as connection,
    ):
        (hits,) = sweep_tags(
            connection, vectors, model, opened, [tag], installation.settings.suggestions, most=most
        )
        near = hits.videos[:shown].tolist()
        titles = dict(
            connection.execute(select(videos.c.id, videos.c.title).where(videos.c.id.in_(near)))
            .tuples()
            .all()
        )
        key = normalize_tag(text)
        taken = connection.scalar(select(tag_names.c.text).where(tag_names.c.key == key))
        stored = connection.scalar(
            select(func.count()).select_from(vector_rows).where(vector_rows.c.model_id == model.id)
        )
        version = library_version(connection)
    scores = [None] * len(near) if hits.scores is None else hits.scores[:shown].tolist()
    return Preview(
        text,
        model.name,
        version,
        stored or 0,
        hits.count,
        min(hits.count, most),
        hits.limit,
        tuple(
            PreviewHit(video, titles.get(video), distance, score)
            for video, distance, score in zip(near, hits.distances[:shown].tolist(), scores, strict=True)
        ),
        taken,
    )


@dataclass(frozen=True, slots=True)
class Swept:
    """A sweep that is done: how many videos the tag fits, and on how many it was newly suggested."""

    tag: str
    hits: int
    suggested: int
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return {"tag": self.tag, "hits": self.hits, "suggested": self.suggested, "reason": self.reason}


def run_sweeps(
    installation: Installation,
    session: Session,
    *,
    vectors: VectorStore | None = None,
    most_tags: int = TAGS_AT_ONCE,
) -> list[Swept]:
    """Do some of the sweeps that were asked of the model that `session` has open; none where there are none to do.

    A tag is suggested where its distance is within its limit, and neither barred nor rejected by a person; the nearest
    videos come first where it fits very many. Killed on the way, the sweep is done again by whoever comes next.
    """
    seconds = installation.settings.worker.lease_seconds
    vectors = vectors or vector_store(installation.database, installation.vectors)
    with installation.database.write() as connection:
        model = find_by_session(connection, session)
        lease = take_sweeps(connection, model.id, most_tags, now=installation.clock(), seconds=seconds)
        if lease is not None and lease.lost:
            gone = dict.fromkeys(lease.lost, 0)
            for tag_id in gone:
                forget_other_hits(connection, model.id, tag_id, ())
            finish_sweeps(connection, model.id, lease.token, gone, installation.clock())
    if lease is None:
        return []
    with installation.database.read() as connection:
        version = library_version(connection)
        found = sweep_tags(
            connection,
            vectors,
            model,
            session,
            lease.tags,
            installation.settings.suggestions,
            most=installation.settings.suggestions.most_hits,
        )
    done = []
    for hits in found:
        added = _write(installation, model, lease, hits, version)
        if added is None:
            break  # taken over by another: it was slow, or asleep
        done.append(Swept(hits.tag.tag.text, hits.count, added, hits.limit.reason))
    return done


def sweep_now(
    installation: Installation,
    tags: Sequence[str] = (),
    *,
    device: Device = "auto",
    threads: int | None = None,
) -> list[Swept]:
    """Do every sweep that was asked of the active model, here and now, and return what each found.

    Args:
        tags: look for these once more, too.
    Raises:
        ConflictError: there is no active model.
        NotFoundError: there is no such tag.
    """
    with installation.database.write() as connection:
        model = _active(connection)
        chosen = [find_standing(connection, text).id for text in tags]
        if chosen:
            ask_for_sweeps(connection, chosen, installation.clock())
    done: list[Swept] = []
    with model_session(installation, model, device=device, threads=threads) as session:
        while found := run_sweeps(installation, session):
            done += found
    return done


def find_by_session(connection: Connection, session: Session) -> ModelRecord:
    """Return the model of the installation that `session` has open.

    Raises:
        NotFoundError: it was removed.
    """
    return find_model(connection, fingerprint=session.model.model_fingerprint)


def _active(connection: Connection) -> ModelRecord:
    model = active_model(connection)
    if model is None:
        raise ConflictError(
            "There is no active model, so no stored video can be found.",
            hint="Add one with: tagtower models HOME add FOLDER",
        )
    return model


def _write(
    installation: Installation, model: ModelRecord, lease: SweepLease, hits: Hits, version: int
) -> int | None:
    """Write what a sweep found, and return on how many videos that was new; None if the lease was lost."""
    tag_id, added = hits.tag.id, 0
    every: list[int] = hits.videos.tolist()
    for start in range(0, max(1, len(every)), WRITTEN_AT_ONCE):
        part = slice(start, start + WRITTEN_AT_ONCE)
        last = start + WRITTEN_AT_ONCE >= len(every)
        with installation.database.write() as connection:
            now = installation.clock()
            seconds = installation.settings.worker.lease_seconds
            if not renew_sweeps(connection, model.id, lease.token, now=now, seconds=seconds):
                return None
            added += _write_some(connection, model, hits, part, version, now)
            if last:
                forget_other_hits(connection, model.id, tag_id, every)
                finish_sweeps(connection, model.id, lease.token, {tag_id: hits.count}, now)
    return added


def _write_some(
    connection: Connection, model: ModelRecord, hits: Hits, part: slice, version: int, at: datetime
) -> int:
    tag_id = hits.tag.id
    found: list[int] = hits.videos[part].tolist()
    # Erased meanwhile, or given another vector, as it may be: what is there now stays until the transaction ends.
    there = set(
        connection.scalars(
            select(videos.c.id)
            .where(videos.c.id.in_(found))
            .order_by(videos.c.id)
            .with_for_update(read=True, key_share=True)
        )
    )
    refused = refused_videos(connection, tag_id, found)
    scores = [None] * len(found) if hits.scores is None else hits.scores[part].tolist()
    rows = [
        (video, Suggested(tag_id, part.start + place + 1, distance, score))
        for place, (video, distance, score) in enumerate(
            zip(found, hits.distances[part].tolist(), scores, strict=True)
        )
        if video in there and video not in refused
    ]
    return add_retro(connection, model.id, rows, library_version=version, at=at)
