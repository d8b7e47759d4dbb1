"""Workers are remembered with what they did, and forgotten long after they ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tagtower.library.database import Database
from tagtower.library.workers import KEPT_DAYS, enlist, leave, list_workers, new_name, report

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)


def test_a_worker_reports_what_it_did(database: Database) -> None:
    name = new_name()
    with database.write() as connection:
        enlist(connection, name, now=NOON)
        report(connection, name, now=NOON + timedelta(seconds=5), done=3)
        report(connection, name, now=NOON + timedelta(seconds=9), done=1, failed=2)
    with database.read() as connection:
        (found,) = list_workers(connection)
    assert (found.done, found.failed, found.stopped_at) == (4, 2, None)
    assert found.seen_at == NOON + timedelta(seconds=9)
    with database.write() as connection:
        leave(connection, name, now=NOON + timedelta(seconds=10))
    with database.read() as connection:
        (found,) = list_workers(connection)
    assert found.to_json()["stopped"] == "2025-06-01T12:00:10+00:00"


def test_names_are_never_given_twice() -> None:
    assert len({new_name() for _ in range(50)}) == 50


def test_workers_of_long_ago_are_forgotten(database: Database) -> None:
    with database.write() as connection:
        enlist(connection, "old", now=NOON)
        enlist(connection, "new", now=NOON + timedelta(days=KEPT_DAYS, seconds=1))
    with database.read() as connection:
        assert [one.name for one in list_workers(connection)] == ["new"]
