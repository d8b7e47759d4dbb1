"""Finding stored videos and looking at one: a page at a time, with the tags that each shows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from tagtower.errors import NotFoundError, UsageError
from tagtower.library.schema import changes, models
from tagtower.library.vectors import vector_store
from tagtower.library.videos.find import Filter, Shelf, count_ids, find_ids
from tagtower.library.videos.pages import read_cursor, write_cursor
from tagtower.library.videos.records import VideoRecord, get_video, get_videos
from tagtower.library.videos.references import Reference, references_of
from tagtower.library.videos.shown import (
    SaidTag,
    ShownTag,
    active_model_id,
    members_of,
    said_tags,
    shown_tags,
)
from tagtower.library.videos.words import asked_words
from tagtower.usecases.installation.home import Installation

MOST_SIMILAR = 1000
"""A search by likeness goes no deeper: what is farther is no longer alike."""

MOST_FILTERED = 200_000
"""Of videos that meet the other conditions, the newest so many are compared."""

MAX_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked for, all of it at once; nothing asks for every video.

    `tags` are texts (names or aliases in any spelling) or numbers. `words` are to stand in title, description or
    subtitles, those that end in `*` as beginnings. `similar` is a video's number: the answer is then in the order of
    likeness. `since` is included, `until` is not; both mean the moment of handing in.
    """

    tags: tuple[str | int, ...] = ()
    words: str | None = None
    similar: int | None = None
    owner: str | None = None
    shelf: Shelf | None = None
    since: datetime | None = None
    until: datetime | None = None
    reviewed: bool | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the question, as a cursor is bound to it."""
        return {
            "tags": list(self.tags),
            "words": self.words,
            "similar": self.similar,
            "owner": self.owner,
            "shelf": self.shelf,
            "since": None if self.since is None else self.since.isoformat(),
            "until": None if self.until is None else self.until.isoformat(),
            "reviewed": self.reviewed,
        }


@dataclass(frozen=True, slots=True)
class Found:
    """A video of an answer, with the tags that it shows; `distance` is to the video that others are to be like."""

    video: VideoRecord
    tags: tuple[ShownTag, ...]
    distance: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the video for a reader of JSON."""
        found = {**self.video.to_json(), "tags": [tag.to_json() for tag in self.tags]}
        return found if self.distance is None else {**found, "distance": self.distance}


@dataclass(frozen=True, slots=True)
class Page:
    """Part of an answer, and the cursor of the next part, None at the end."""

    videos: tuple[Found, ...]
    next: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the page for a reader of JSON."""
        return {"videos": [one.to_json() for one in self.videos], "next": self.next}


@dataclass(frozen=True, slots=True)
class Shown:
    """All that is known of one video.

    `model` is the fingerprint of the model whose suggestions are shown, `library` the version of the tag library under
    which they are read.
    """

    video: VideoRecord
    tags: tuple[ShownTag, ...]
    verdicts: tuple[SaidTag, ...]
    references: tuple[Reference, ...]
    model: str | None
    library: int

    @property
    def mark(self) -> str:
        """A short hash of all that a person can change or decide on: the same until that is another."""
        parts = [
            self.video.shelf,
            *(f"{tag.tag_id} {tag.tag} {tag.origin} {tag.score}" for tag in self.tags),
            *(f"{one.tag_id} {one.verdict} {one.author} {one.at.isoformat()}" for one in self.verdicts),
            *(f"{one.owner} {one.name}" for one in self.references),
            f"{self.video.title} {self.video.attempts} {self.video.error} {self.model}",
        ]
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def to_json(self) -> dict[str, Any]:
        """Return the video for a reader of JSON, with its texts."""
        return {
            **self.video.to_json(),
            "description": self.video.description,
            "subtitles": self.video.subtitles,
            "tags": [tag.to_json(evidence=True) for tag in self.tags],
            "verdicts": [one.to_json() for one in self.verdicts],
            "references": [one.to_json() for one in self.references],
            "model": self.model,
            "library": self.library,
        }


def find_videos(
    installation: Installation, search: Search, *, limit: int = 20, cursor: str | None = None
) -> Page:
    """Return a page of the videos that meet every condition, the last that were handed in first.

    Raises:
        UsageError: the limit, the cursor or the words are unusable.
        NotFoundError: there is no such tag, or no such video to be like.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise UsageError(f"A page cannot have {limit} videos.", hint=f"Ask for 1 to {MAX_PAGE}.")
    with installation.database.read() as connection:
        model_id = active_model_id(connection)
        wanted = filter_of(connection, search)
        if search.similar is not None:
            return _similar(installation, connection, search, wanted, model_id, limit, cursor)
        below: int | None = None
        if cursor is not None:
            below = int(read_cursor(installation.id, search.to_json(), cursor, 1)[0])
        ids = find_ids(connection, wanted, model_id, below=below, limit=limit + 1)
        following = None
        if len(ids) > limit:
            following = write_cursor(installation.id, search.to_json(), [ids[limit - 1]])
        return Page(_found(connection, ids[:limit], model_id), following)


def filter_of(connection: Connection, search: Search) -> Filter:
    """Return a search, but for likeness, as the library takes it.

    Raises:
        NotFoundError: there is no such tag.
        UsageError: there is no word in the words.
    """
    return Filter(
        tags=tuple(members_of(connection, tag) for tag in search.tags),
        words=() if search.words is None else asked_words(search.words),
        owner=search.owner,
        shelf=search.shelf,
        since=search.since,
        until=search.until,
        reviewed=search.reviewed,
    )


def count_videos(installation: Installation, search: Search, *, most: int = 10_000) -> int:
    """Return how many videos meet every condition but likeness, counting no further than `most`."""
    with installation.database.read() as connection:
        wanted = filter_of(connection, search)
        return count_ids(connection, wanted, active_model_id(connection), most=most)


def show_video(installation: Installation, video_id: int) -> Shown:
    """Return all that is known of a video.

    Raises:
        NotFoundError: there is none with this number.
    """
    with installation.database.read() as connection:
        return shown_of(connection, video_id)


def shown_of(connection: Connection, video_id: int) -> Shown:
    """Return all that is known of a video, inside the caller's transaction.

    Raises:
        NotFoundError: there is none with this number.
    """
    video = get_video(connection, video_id)
    model_id = active_model_id(connection)
    return Shown(
        video=video,
        tags=shown_tags(connection, [video_id], model_id, evidence=True).get(video_id, ()),
        verdicts=said_tags(connection, [video_id]).get(video_id, ()),
        references=references_of(connection, [video_id]).get(video_id, ()),
        model=connection.scalar(select(models.c.fingerprint).where(models.c.id == model_id)),
        library=connection.scalar(select(func.max(changes.c.version))) or 0,
    )


def _found(
    connection: Connection, ids: Sequence[int], model_id: int | None, distances: Sequence[float] = ()
) -> tuple[Found, ...]:
    tags = shown_tags(connection, ids, model_id)
    away = dict(zip(ids, distances, strict=True)) if distances else {}
    return tuple(
        Found(video, tags.get(video.id, ()), away.get(video.id)) for video in get_videos(connection, ids)
    )


def _similar(
    installation: Installation,
    connection: Connection,
    search: Search,
    wanted: Filter,
    model_id: int | None,
    limit: int,
    cursor: str | None,
) -> Page:
    """The nearest videos to one, those that meet the other conditions; a page ends at a distance, not at a count."""
    assert search.similar is not None
    get_video(connection, search.similar)
    store = vector_store(installation.database, installation.vectors)
    question = {**search.to_json(), "model": model_id}
    after: tuple[float, int] | None = None
    if cursor is not None:
        distance, last = read_cursor(installation.id, question, cursor, 2)
        after = (float(distance), int(last))
    query = None if model_id is None else store.get(connection, model_id, [search.similar])[1]
    if model_id is None or query is None or not len(query):
        raise NotFoundError(
            f"Video {search.similar} has no vector of the active model, so nothing can be like it.",
            hint="It gets one when a worker labels it: tagtower worker HOME",
        )
    within = None
    if wanted != Filter():
        within = find_ids(connection, wanted, model_id, limit=MOST_FILTERED)
    nearest = store.nearest(connection, model_id, query, MOST_SIMILAR + 1, within=within)[0]
    pairs = [
        (float(distance), int(video))
        for video, distance in zip(nearest.ids.tolist(), nearest.distances.tolist(), strict=True)
        if video != search.similar
    ][:MOST_SIMILAR]
    rest = [pair for pair in sorted(pairs) if after is None or pair > after]
    page = rest[:limit]
    following = write_cursor(installation.id, question, page[-1]) if len(rest) > limit else None
    videos = _found(connection, [video for _, video in page], model_id, [distance for distance, _ in page])
    return Page(videos, following)
