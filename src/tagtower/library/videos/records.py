"""A stored video as the database knows it, and reading it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from tagtower.errors import NotFoundError
from tagtower.library.schema import videos
from tagtower.library.videos.find import Shelf

COLUMNS = tuple(
    videos.c[name]
    for name in (
        "id",
        "content_hash",
        "media",
        "stored",
        "bytes",
        "facts",
        "title",
        "description",
        "subtitles",
        "published_at",
        "added_at",
        "shelf",
        "shelved_at",
        "attempts",
        "not_before",
        "error",
    )
)
"""Everything but leases and the words of search, in the order of the fields of `VideoRecord`."""

# Made once: to put such a question together costs more than to have a page of videos answered.
WITH_NUMBERS = select(*COLUMNS).where(videos.c.id.in_(bindparam("video_ids", expanding=True)))


@dataclass(frozen=True, slots=True)
class VideoRecord:
    """A video. `media` is a key of the media store where `stored`, else a URI; None where there are only words.

    `facts` are those of `library.videos.facts`, `error` is the last failure of labelling it.
    """

    id: int
    content_hash: str | None
    media: str | None
    stored: bool
    bytes: int | None
    facts: dict[str, Any] | None
    title: str | None
    description: str | None
    subtitles: str | None
    published_at: datetime | None
    added_at: datetime
    shelf: Shelf
    shelved_at: datetime
    attempts: int
    not_before: datetime | None
    error: dict[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        """Return the video for a reader of JSON, without its long texts."""
        return {
            "id": self.id,
            "title": self.title,
            "shelf": self.shelf,
            "added": self.added_at.isoformat(),
            "shelved": self.shelved_at.isoformat(),
            "published": None if self.published_at is None else self.published_at.isoformat(),
            "content_hash": self.content_hash,
            "media": self.media,
            "stored": self.stored,
            "bytes": self.bytes,
            "facts": self.facts,
            "attempts": self.attempts,
            "error": self.error,
        }


def get_video(connection: Connection, video_id: int) -> VideoRecord:
    """Return a video.

    Raises:
        NotFoundError: there is none with this number.
    """
    found = get_videos(connection, [video_id])
    if not found:
        raise NotFoundError(
            f"There is no video {video_id}.",
            hint="It may have been erased. List videos with: tagtower videos HOME list",
        )
    return found[0]


def get_videos(connection: Connection, video_ids: Collection[int]) -> list[VideoRecord]:
    """Return videos in the order of `video_ids`; those that are not there are left out."""
    rows = connection.execute(WITH_NUMBERS, {"video_ids": list(video_ids)})
    found = {row.id: record_of(row) for row in rows}
    return [found[one] for one in video_ids if one in found]


def record_of(row: Row[Any]) -> VideoRecord:
    """Return the record of a row of `COLUMNS`."""
    values: tuple[Any, ...] = tuple(row)
    return VideoRecord(*values)
