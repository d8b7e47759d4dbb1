"""What of an installation is watched while it changes: short marks, the same until what they stand for is another."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, func, select

from tagtower.library.feeds import list_feeds
from tagtower.library.models import coverage_of, list_models
from tagtower.library.schema import erasing, erasures, sweeps, tags
from tagtower.library.shelves import count_shelves
from tagtower.library.webhooks import list_webhooks
from tagtower.library.workers import list_workers
from tagtower.usecases.installation.health import SILENT
from tagtower.usecases.installation.home import Installation

Watched: TypeAlias = Literal["health", "models", "sweeps", "topics", "feeds", "webhooks"]


def take_pulse(installation: Installation) -> dict[Watched, str]:
    """Return a mark of each part: shelves, workers and erasures; models and their building; sweeps; and so on.

    Videos are counted from indexes; how far a model has come is looked at where it is not retired.
    """
    with installation.database.read() as connection:
        return {
            "health": _mark(_health(connection, installation)),
            "models": _mark(_models(connection, installation)),
            "sweeps": _mark(connection.scalar(_count(sweeps).where(sweeps.c.done_at.is_(None)))),
            "topics": _mark(connection.scalar(_count(tags).where(tags.c.state == "quarantined"))),
            "feeds": _mark(
                [[one.id, one.state, one.polled_at, one.failures] for one in list_feeds(connection)]
            ),
            "webhooks": _mark(
                [[one.id, one.sent, one.failures, one.not_before] for one in list_webhooks(connection)]
            ),
        }


def _health(connection: Connection, installation: Installation) -> list[Any]:
    now = installation.clock()
    shelves = count_shelves(connection, now=now, rules=installation.settings.worker)
    return [
        shelves.to_json(),
        [
            [one.name, one.done, one.failed, one.stopped_at, now - one.seen_at < SILENT]
            for one in list_workers(connection)
        ],
        connection.scalar(_count(erasing)),
        connection.scalar(_count(erasures)),
    ]


def _models(connection: Connection, installation: Installation) -> list[Any]:
    attempts = installation.settings.worker.attempts
    found: list[Any] = []
    for one in list_models(connection):
        built = None if one.state == "retired" else coverage_of(connection, one.id, attempts)
        found.append(
            [one.id, one.state, None if built is None else [built.labelled, built.built, built.failed]]
        )
    return found


def _count(table: Any) -> Any:
    return select(func.count()).select_from(table)


def _mark(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, default=str).encode()).hexdigest()[:16]
