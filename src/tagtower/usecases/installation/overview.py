"""An installation at a glance: shelves, tags, the active model, and who is at work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select

from tagtower.library.curation.reading import TagFilter, count_tags
from tagtower.library.models import active_model
from tagtower.library.schema import changes
from tagtower.library.shelves import ShelfCounts, count_shelves
from tagtower.library.workers import list_workers
from tagtower.usecases.installation.home import Installation

ALIVE = timedelta(seconds=120)
"""A worker that was not heard of for so long is counted as gone."""


@dataclass(frozen=True, slots=True)
class Overview:
    """Counts of an installation; `model` is the name of the active one. What workers did is of those remembered."""

    shelves: ShelfCounts
    tags: int
    library_version: int
    model: str | None
    workers_alive: int
    workers_done: int
    workers_failed: int

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return {
            "videos": self.shelves.to_json(),
            "tags": self.tags,
            "library": self.library_version,
            "model": self.model,
            "workers": {
                "alive": self.workers_alive,
                "labelled": self.workers_done,
                "failed": self.workers_failed,
            },
        }


def overview(installation: Installation) -> Overview:
    """Return the counts of this moment."""
    now = installation.clock()
    with installation.database.read() as connection:
        active = active_model(connection)
        workers = list_workers(connection)
        return Overview(
            shelves=count_shelves(connection, now=now, rules=installation.settings.worker),
            tags=count_tags(connection, TagFilter(state="active")),
            library_version=connection.scalar(select(func.max(changes.c.version))) or 0,
            model=None if active is None else active.name,
            workers_alive=sum(one.stopped_at is None and now - one.seen_at < ALIVE for one in workers),
            workers_done=sum(one.done for one in workers),
            workers_failed=sum(one.failed for one in workers),
        )


def readiness(installation: Installation) -> bool:
    """Return whether a model is active.

    Raises:
        StorageError: the database is gone.
    """
    with installation.database.read() as connection:
        return active_model(connection) is not None
