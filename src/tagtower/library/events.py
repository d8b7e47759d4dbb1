"""What happened, for those who wait for it. An event is written in the transaction of what it tells of, or not at all.

Numbers grow. On PostgreSQL two transactions may commit in another order than that of their numbers, so that a reader
who asks again and again waits a moment before he goes past a gap; see `read_events`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias, get_args

from sqlalchemy import Connection, delete, func, insert, select

from tagtower.library.schema import events

Kind: TypeAlias = Literal["video.labelled", "video.failed", "tag.added", "tag.changed", "model.promoted"]
KINDS: tuple[Kind, ...] = get_args(Kind)

SETTLED = timedelta(seconds=5)
"""Behind a missing number nothing is read before it is so old: its transaction may still be open."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened."""

    id: int
    at: datetime
    kind: str
    data: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return {"id": self.id, "at": self.at.isoformat(), "kind": self.kind, "data": self.data}


def record(
    connection: Connection, kind: Kind, data: dict[str, Any], at: datetime, *, video_id: int | None = None
) -> None:
    """Note that something happened; what happened to a video is forgotten when it is erased."""
    record_many(connection, kind, [(data, video_id)], at)


def record_many(
    connection: Connection, kind: Kind, happened: Sequence[tuple[dict[str, Any], int | None]], at: datetime
) -> None:
    """Note that something happened several times."""
    if happened:
        rows = [{"at": at, "kind": kind, "data": data, "video_id": video} for data, video in happened]
        connection.execute(insert(events), rows)


def read_events(
    connection: Connection,
    after: int,
    *,
    now: datetime,
    kinds: Collection[str] = (),
    limit: int = 100,
) -> tuple[list[Event], int]:
    """Return the events that follow `after`, and the number up to which everything was read.

    Args:
        kinds: only these; all if empty.
    """
    query = select(events).where(events.c.id > after).order_by(events.c.id).limit(limit)
    found: list[Event] = []
    reached = after
    for row in connection.execute(query):
        if row.id != reached + 1 and now - row.at < SETTLED and connection.dialect.name == "postgresql":
            break
        reached = row.id
        if not kinds or row.kind in kinds:
            found.append(Event(row.id, row.at, row.kind, row.data))
    return found, reached


def latest_events(
    connection: Connection, *, kinds: Collection[str] = (), since: datetime, limit: int = 10
) -> list[Event]:
    """Return the last events of some kinds that happened after `since`, the newest first.

    Args:
        kinds: only these; all if empty.
    """
    query = select(events).where(events.c.at > since).order_by(events.c.id.desc()).limit(limit)
    if kinds:
        query = query.where(events.c.kind.in_(list(kinds)))
    return [Event(row.id, row.at, row.kind, row.data) for row in connection.execute(query)]


def last_event(connection: Connection) -> int:
    """Return the number of the last event, 0 before the first."""
    return connection.scalar(select(func.max(events.c.id))) or 0


def forget_events(connection: Connection, before: datetime) -> int:
    """Forget what happened before a moment, and return how much that was."""
    return connection.execute(delete(events).where(events.c.at < before)).rowcount


def any_before(connection: Connection, before: datetime) -> bool:
    """Return whether there are events from before a moment."""
    return connection.scalar(select(events.c.id).where(events.c.at < before).limit(1)) is not None
