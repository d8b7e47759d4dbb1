"""How an installation is doing: its shelves, what workers get done, what failed and why, and what it holds."""

from __future__ import annotations

import shutil
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from tagtower.library.feeds import FeedRecord, list_feeds
from tagtower.library.models import active_model
from tagtower.library.schema import erasing, erasures, sweeps, tags, verdicts, videos
from tagtower.library.shelves import ShelfCounts, count_shelves
from tagtower.library.workers import WorkerRecord, list_workers
from tagtower.usecases.installation.home import Installation

HOURS = 24
FAILURES_READ, EXAMPLES = 2000, 5
SILENT = timedelta(seconds=90)
"""A worker that was not heard of for so long is at no work: it reports at least every 30 seconds."""


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Videos on the failed shelf for one reason: how many, what the last of them was told, and some of them."""

    kind: str
    count: int
    message: str
    hint: str | None
    videos: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Erasing:
    """An erasure: the number of the video that was, and what was removed; `done_at` is None while it is under way."""

    video_id: int
    done_at: datetime | None
    author: str
    removed: dict[str, int]


@dataclass(frozen=True, slots=True)
class Health:
    """The state of an installation at a moment.

    `per_hour` are the videos labelled in each of the last `HOURS` hours, the present one last. `alive` are the workers
    that were heard of lately. Sizes are in bytes; `disk_free` is None where the media lie elsewhere.
    """

    at: datetime
    shelves: ShelfCounts
    per_hour: tuple[int, ...]
    failures: tuple[FailureGroup, ...]
    workers: tuple[WorkerRecord, ...]
    alive: int
    model: str | None
    active_tags: int
    quarantined_tags: int
    verdicts: int
    sweeps_open: int
    stored_videos: int
    stored_bytes: int
    disk_free: int | None
    feeds: tuple[FeedRecord, ...]
    erased: int
    erasures: tuple[Erasing, ...]

    @property
    def handed_in(self) -> int:
        """How many videos were ever handed in: those on the shelves, and those that were erased."""
        return self.shelves.all + self.erased

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return {
            "at": self.at.isoformat(),
            "shelves": self.shelves.to_json(),
            "per_hour": list(self.per_hour),
            "workers": [one.to_json() for one in self.workers],
            "alive": self.alive,
            "model": self.model,
            "active_tags": self.active_tags,
            "quarantined_tags": self.quarantined_tags,
            "verdicts": self.verdicts,
            "sweeps_open": self.sweeps_open,
            "stored_videos": self.stored_videos,
            "stored_bytes": self.stored_bytes,
            "disk_free": self.disk_free,
            "erased": self.erased,
        }


def health(installation: Installation) -> Health:
    """Return how the installation is doing."""
    now = installation.clock()
    with installation.database.read() as connection:
        model = active_model(connection)
        workers = tuple(list_workers(connection))
        by_state: dict[str, int] = dict(
            connection.execute(select(tags.c.state, func.count()).group_by(tags.c.state)).tuples().all()
        )
        stored = connection.execute(
            select(func.count(), func.coalesce(func.sum(videos.c.bytes), 0)).where(videos.c.stored)
        ).one()
        return Health(
            at=now,
            shelves=count_shelves(connection, now=now, rules=installation.settings.worker),
            per_hour=_per_hour(connection, now),
            failures=failures(connection),
            workers=workers,
            alive=sum(one.stopped_at is None and now - one.seen_at < SILENT for one in workers),
            model=None if model is None else model.name,
            active_tags=by_state.get("active", 0),
            quarantined_tags=by_state.get("quarantined", 0),
            verdicts=connection.scalar(select(func.count()).select_from(verdicts)) or 0,
            sweeps_open=0
            if model is None
            else connection.scalar(
                select(func.count()).where(sweeps.c.model_id == model.id, sweeps.c.done_at.is_(None))
            )
            or 0,
            stored_videos=stored[0],
            stored_bytes=int(stored[1]),
            disk_free=None
            if installation.settings.places.media_url
            else shutil.disk_usage(installation.home).free,
            feeds=tuple(list_feeds(connection)),
            erased=connection.scalar(select(func.count()).select_from(erasures)) or 0,
            erasures=_erasures(connection),
        )


def failures(connection: Connection) -> tuple[FailureGroup, ...]:
    """Return the failed shelf by reason, the most frequent first; of more than `FAILURES_READ` the newest."""
    groups: dict[str, list[Any]] = defaultdict(list)
    for row in _failed(connection):
        groups[_kind(row.error)].append(row)
    found = [
        FailureGroup(
            kind,
            len(rows),
            str((rows[0].error or {}).get("message", "It failed, and nothing is known of why.")),
            (rows[0].error or {}).get("hint"),
            tuple(one.id for one in rows[:EXAMPLES]),
        )
        for kind, rows in groups.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.count, one.kind)))


def _failed(connection: Connection) -> list[Any]:
    rows = select(videos.c.id, videos.c.error).where(videos.c.shelf == "failed")
    return list(connection.execute(rows.order_by(videos.c.shelved_at.desc()).limit(FAILURES_READ)))


def _kind(error: dict[str, Any] | None) -> str:
    return str((error or {}).get("type", "unknown"))


def _per_hour(connection: Connection, now: datetime) -> tuple[int, ...]:
    counts = []
    for hour in range(HOURS, 0, -1):
        since, until = now - timedelta(hours=hour), now - timedelta(hours=hour - 1)
        counts.append(
            connection.scalar(
                select(func.count()).where(
                    videos.c.shelf == "labelled", videos.c.shelved_at > since, videos.c.shelved_at <= until
                )
            )
            or 0
        )
    return tuple(counts)


def _erasures(connection: Connection) -> tuple[Erasing, ...]:
    open_ = connection.execute(select(erasing.c.video_id, erasing.c.author).order_by(erasing.c.id))
    under_way = [Erasing(row.video_id, None, row.author, {}) for row in open_]
    done = connection.execute(select(erasures).order_by(erasures.c.id.desc()).limit(10))
    return (*under_way, *(Erasing(row.video_id, row.at, row.author, dict(row.removed)) for row in done))
