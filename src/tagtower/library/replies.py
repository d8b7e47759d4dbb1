"""Answers kept for a while under the key that a client gave his request. Inside the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from tagtower.library.schema import replies


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; without a `status` it is still worked on, since `at`. `request` is a hash of what was asked."""

    request: str
    at: datetime
    status: int | None
    body: Any
    headers: dict[str, str]


def claim_reply(connection: Connection, principal: str, key: str, request: str, at: datetime) -> Reply | None:
    """Return what is kept under a key; None where nothing was, and the key is the caller's now."""
    mine = (replies.c.principal == principal) & (replies.c.key == key)
    row = connection.execute(select(replies).where(mine)).first()
    if row is not None:
        return Reply(row.request, row.at, row.status, row.body, row.headers or {})
    try:
        with connection.begin_nested():
            connection.execute(insert(replies).values(principal=principal, key=key, request=request, at=at))
    except IntegrityError:  # another server was faster
        return Reply(request, at, None, None, {})
    return None


def keep_reply(
    connection: Connection,
    principal: str,
    key: str,
    *,
    status: int,
    body: Any,
    headers: dict[str, str],
    video_id: int | None,
) -> None:
    """Keep an answer; with a video it is forgotten when the video is erased."""
    values = {"status": status, "body": body, "headers": headers, "video_id": video_id}
    mine = (replies.c.principal == principal) & (replies.c.key == key)
    connection.execute(update(replies).where(mine).values(values))


def forget_reply(connection: Connection, principal: str, key: str) -> None:
    """Give a key free."""
    mine = (replies.c.principal == principal) & (replies.c.key == key)
    connection.execute(delete(replies).where(mine))


def forget_replies(connection: Connection, before: datetime) -> None:
    """Forget what was asked before a moment."""
    connection.execute(delete(replies).where(replies.c.at < before))
