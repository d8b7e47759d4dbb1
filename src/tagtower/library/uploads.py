"""Files that are on their way in: who began each, and what became of it. Inside the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from tagtower.library.schema import uploads


@dataclass(frozen=True, slots=True)
class UploadRecord:
    """An upload. `length` is what was announced; `result` is there once it is complete."""

    id: str
    principal: str
    length: int | None
    started_at: datetime
    touched_at: datetime
    result: dict[str, Any] | None


def begin_upload(
    connection: Connection, upload_id: str, principal: str, length: int | None, at: datetime
) -> UploadRecord:
    """Note that an upload was begun."""
    values = {"id": upload_id, "principal": principal, "length": length, "started_at": at, "touched_at": at}
    connection.execute(insert(uploads).values(values))
    return UploadRecord(upload_id, principal, length, at, at, None)


def find_upload(connection: Connection, upload_id: str) -> UploadRecord | None:
    """Return an upload, None where there is none."""
    row = connection.execute(select(uploads).where(uploads.c.id == upload_id)).first()
    if row is None:
        return None
    return UploadRecord(row.id, row.principal, row.length, row.started_at, row.touched_at, row.result)


def touch_upload(connection: Connection, upload_id: str, at: datetime) -> None:
    """Note that more of it has come."""
    connection.execute(update(uploads).where(uploads.c.id == upload_id).values(touched_at=at))


def finish_upload(
    connection: Connection, upload_id: str, video_id: int, result: dict[str, Any], at: datetime
) -> None:
    """Note what became of it."""
    values = {"video_id": video_id, "result": result, "touched_at": at}
    connection.execute(update(uploads).where(uploads.c.id == upload_id).values(values))


def forget_upload(connection: Connection, upload_id: str) -> None:
    """Forget an upload."""
    connection.execute(delete(uploads).where(uploads.c.id == upload_id))


def idle_uploads(connection: Connection, before: datetime) -> list[str]:
    """Return the uploads that nothing was added to since a moment."""
    return list(connection.scalars(select(uploads.c.id).where(uploads.c.touched_at < before)))


def known_uploads(connection: Connection) -> set[str]:
    """Return every upload."""
    return set(connection.scalars(select(uploads.c.id)))
