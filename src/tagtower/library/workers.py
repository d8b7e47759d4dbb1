"""The workers of an installation: who is at work, when each was last heard of, and what it did."""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from tagtower.library.schema import workers

KEPT_DAYS = 7
"""Workers that ended, or were not heard of, so long ago are forgotten when a new one starts."""


@dataclass(frozen=True, slots=True)
class WorkerRecord:
    """A worker, and how many videos it labelled and gave up so far."""

    name: str
    started_at: datetime
    seen_at: datetime
    stopped_at: datetime | None
    done: int
    failed: int

    def to_json(self) -> dict[str, Any]:
        """Return the record with times in ISO format."""
        return {
            "name": self.name,
            "started": self.started_at.isoformat(),
            "seen": self.seen_at.isoformat(),
            "stopped": None if self.stopped_at is None else self.stopped_at.isoformat(),
            "done": self.done,
            "failed": self.failed,
        }


def new_name() -> str:
    """Return a name that no other worker has: host, process and a random part."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"


def enlist(connection: Connection, name: str, *, now: datetime) -> None:
    """Enter a worker, and forget those that were last heard of long ago."""
    connection.execute(delete(workers).where(workers.c.seen_at < now - timedelta(days=KEPT_DAYS)))
    connection.execute(insert(workers).values(name=name, started_at=now, seen_at=now, done=0, failed=0))


def report(connection: Connection, name: str, *, now: datetime, done: int = 0, failed: int = 0) -> None:
    """Note that a worker is alive, and what it did since it reported last."""
    connection.execute(
        update(workers)
        .where(workers.c.name == name)
        .values(seen_at=now, done=workers.c.done + done, failed=workers.c.failed + failed)
    )


def leave(connection: Connection, name: str, *, now: datetime) -> None:
    """Note that a worker has ended as it should."""
    connection.execute(update(workers).where(workers.c.name == name).values(seen_at=now, stopped_at=now))


def list_workers(connection: Connection) -> list[WorkerRecord]:
    """Return every worker that is remembered, the last one started first."""
    rows = connection.execute(select(workers).order_by(workers.c.started_at.desc(), workers.c.name))
    return [
        WorkerRecord(row.name, row.started_at, row.seen_at, row.stopped_at, row.done, row.failed)
        for row in rows
    ]
