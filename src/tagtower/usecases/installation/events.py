"""Reading what happened, from a place on."""

from __future__ import annotations

from collections.abc import Collection

from tagtower.errors import UsageError
from tagtower.library import events
from tagtower.library.events import KINDS, Event
from tagtower.storage.rows import shorten
from tagtower.usecases.installation.home import Installation


def read(
    installation: Installation, after: int, *, kinds: Collection[str] = (), limit: int = 100
) -> tuple[list[Event], int]:
    """Return the events that follow `after`, and the number up to which everything was read.

    Raises:
        UsageError: there is no such kind.
    """
    check_kinds(kinds)
    with installation.database.read() as connection:
        now = installation.clock()
        return events.read_events(connection, after, now=now, kinds=kinds, limit=limit)


def last(installation: Installation) -> int:
    """Return the number of the last event, 0 before the first."""
    with installation.database.read() as connection:
        return events.last_event(connection)


def check_kinds(kinds: Collection[str]) -> None:
    """Return if all these are kinds of events.

    Raises:
        UsageError: one is none.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise UsageError(
                f"There are no events of the kind {shorten(kind)}.", hint=f"Kinds: {', '.join(KINDS)}."
            )
