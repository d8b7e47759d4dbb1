"""Looking at the tag library: its tags, one of them with its history, its groups, and what was changed when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from tagtower.library.curation.history import Change, list_changes, load_change
from tagtower.library.curation.reading import (
    Order,
    TagFilter,
    count_tags,
    find,
    list_groups,
    list_tags,
    merged_into,
)
from tagtower.library.curation.record import TagRecord
from tagtower.library.schema import changes
from tagtower.usecases.installation.home import Installation


@dataclass(frozen=True, slots=True)
class TagPage:
    """Part of a list of tags, the cursor of the next part, None at the end, and how many there are in all."""

    tags: tuple[TagRecord, ...]
    next: str | None
    count: int
    library: int

    def to_json(self) -> dict[str, Any]:
        """Return the page for a reader of JSON."""
        return {
            "tags": [one.to_json() for one in self.tags],
            "next": self.next,
            "count": self.count,
            "library": self.library,
        }


@dataclass(frozen=True, slots=True)
class TagShown:
    """A tag, those that were merged into it, and its last changes."""

    tag: TagRecord
    merged: tuple[TagRecord, ...]
    history: tuple[Change, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return {
            **self.tag.to_json(),
            "merged": [{"id": one.id, "text": one.text} for one in self.merged],
            "history": [one.to_json() for one in self.history],
        }


def page_of_tags(
    installation: Installation,
    wanted: TagFilter,
    *,
    order: Order = "name",
    limit: int = 50,
    after: str | None = None,
) -> TagPage:
    """Return a page of the tags that meet the conditions.

    Raises:
        UsageError: `after` is of another order.
    """
    with installation.database.read() as connection:
        found, following = list_tags(connection, wanted, order=order, limit=limit, after=after)
        version = connection.scalar(select(func.max(changes.c.version))) or 0
        return TagPage(tuple(found), following, count_tags(connection, wanted), version)


def show_tag(installation: Installation, tag: str, *, changes_shown: int = 20) -> TagShown:
    """Return a tag by its text, an alias, or `#NUMBER`.

    Raises:
        NotFoundError: there is none.
    """
    with installation.database.read() as connection:
        found = find(connection, tag)
        return TagShown(
            found,
            tuple(merged_into(connection, [found.id])),
            tuple(list_changes(connection, tag=found, limit=changes_shown)),
        )


def history(installation: Installation, *, before: int | None = None, limit: int = 50) -> list[Change]:
    """Return the last changes, the newest first."""
    with installation.database.read() as connection:
        return list_changes(connection, before=before, limit=limit)


def change(installation: Installation, version: int) -> Change:
    """Return a change.

    Raises:
        NotFoundError: there is none with this version.
    """
    with installation.database.read() as connection:
        return load_change(connection, version)


def groups(installation: Installation) -> list[tuple[str, int]]:
    """Return every group with the number of its tags."""
    with installation.database.read() as connection:
        return list_groups(connection)
