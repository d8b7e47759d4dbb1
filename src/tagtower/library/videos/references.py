"""Who handed a video in, and under which name: an owner's names are unique, and one video may have many."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select

from tagtower.errors import InputError
from tagtower.library.schema import video_references
from tagtower.storage.rows import shorten, text_fault

MAX_OWNER, MAX_NAME, MAX_BYTES = 200, 1000, 2000
"""Characters, and bytes of both in UTF-8: PostgreSQL indexes no more than 2,700 bytes."""


@dataclass(frozen=True, slots=True)
class Reference:
    """That `owner` handed a video in as `name`; `title` is the one it came with."""

    id: int
    video_id: int
    owner: str
    name: str
    title: str | None
    added_at: datetime

    def to_json(self) -> dict[str, Any]:
        """Return the reference for a reader of JSON."""
        return {
            "owner": self.owner,
            "name": self.name,
            "title": self.title,
            "added": self.added_at.isoformat(),
        }


def check_names(owner: str, name: str) -> None:
    """Return if these can be an owner and a name.

    Raises:
        InputError: one is blank, too long, or holds characters that no text may hold.
    """
    for what, text, most in (("owner", owner, MAX_OWNER), ("name", name, MAX_NAME)):
        fault = text_fault(text)
        if fault is not None:
            raise InputError(f"The {what} {shorten(text)} {fault}.", hint="Give another one.")
        if len(text) > most:
            raise InputError(
                f"The {what} {shorten(text)} has {len(text):,} characters.", hint=f"Give at most {most:,}."
            )
    if not name.strip():
        raise InputError("The name of a video is blank.", hint="Give it an id in the manifest.")
    if len(f"{owner}{name}".encode()) > MAX_BYTES:
        raise InputError(
            f"The name {shorten(name)} is too long, together with its owner.",
            hint=f"Give at most {MAX_BYTES:,} bytes of UTF-8.",
        )


def find_reference(connection: Connection, owner: str, name: str) -> Reference | None:
    """Return what an owner calls so, None where there is nothing."""
    row = connection.execute(
        select(video_references).where(video_references.c.owner == owner, video_references.c.name == name)
    ).first()
    return None if row is None else Reference(*row)


def references_of(connection: Connection, video_ids: Collection[int]) -> dict[int, tuple[Reference, ...]]:
    """Return the references of videos, the oldest first; a video without any is left out."""
    rows = connection.execute(
        select(video_references)
        .where(video_references.c.video_id.in_(list(video_ids)))
        .order_by(video_references.c.id)
    )
    found: dict[int, list[Reference]] = {}
    for row in rows:
        found.setdefault(row.video_id, []).append(Reference(*row))
    return {video: tuple(own) for video, own in found.items()}


def count_references(connection: Connection, video_id: int) -> int:
    """Return how many references lead to a video."""
    counted = select(func.count()).where(video_references.c.video_id == video_id)
    return connection.scalar(counted) or 0


def add_reference(
    connection: Connection, video_id: int, owner: str, name: str, title: str | None, at: datetime
) -> None:
    """Note that an owner handed a video in."""
    values = {"video_id": video_id, "owner": owner, "name": name, "title": title, "added_at": at}
    connection.execute(insert(video_references).values(values))
