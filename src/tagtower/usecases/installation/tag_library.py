"""What the tag library holds: lists of tags, one tag with its history and reach, changes, and a file of all."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from tagtower.errors import UsageError
from tagtower.library.curation.committing import library_version
from tagtower.library.curation.history import Change, edits_of, list_changes, load_change
from tagtower.library.curation.plan import Edit
from tagtower.library.curation.reach import Reach, reach
from tagtower.library.curation.reading import (
    Order,
    TagFilter,
    count_tags,
    every_tag,
    find,
    list_groups,
    list_tags,
    merged_into,
)
from tagtower.library.curation.record import TagRecord
from tagtower.library.tagfile import COLUMNS
from tagtower.storage.atomic import atomic_path
from tagtower.storage.rows import LIST_SEPARATOR
from tagtower.usecases.installation.home import Installation

SHOWN_CHANGES = 10
SHOWN_EDITS = 100


@runtime_checkable
class Sink(Protocol):
    """Whatever takes text."""

    def write(self, text: str, /) -> int:
        """Take a text."""
        ...


@dataclass(frozen=True, slots=True)
class TagPage:
    """Some tags of a list; `total` counts all of it, `next` is what to give as `after` for those that follow."""

    version: int
    total: int
    tags: tuple[TagRecord, ...]
    next: str | None

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return {
            "version": self.version,
            "total": self.total,
            "tags": [tag.to_json() for tag in self.tags],
            "next": self.next,
        }


@dataclass(frozen=True, slots=True)
class TagPortrait:
    """One tag: what is merged into it, how far it reaches, and its last changes, the newest first."""

    tag: TagRecord
    merged: tuple[TagRecord, ...]
    reach: Reach
    changes: tuple[Change, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return {
            "tag": self.tag.to_json(),
            "merged": [{"id": one.id, "text": one.text} for one in self.merged],
            "reach": self.reach.to_json(),
            "changes": [change.to_json() for change in self.changes],
        }


@dataclass(frozen=True, slots=True)
class ChangePortrait:
    """One change with the tags that it touched, of a large one the first."""

    change: Change
    edits: tuple[Edit, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        edits = [
            {
                "id": edit.tag_id,
                "before": None if edit.before is None else edit.before.to_image(),
                "after": None if edit.after is None else edit.after.to_image(),
            }
            for edit in self.edits
        ]
        return {**self.change.to_json(), "tags": edits}


def tag_page(
    installation: Installation,
    wanted: TagFilter | None = None,
    *,
    order: Order = "id",
    limit: int = 100,
    after: str | None = None,
) -> TagPage:
    """Return up to `limit` tags that meet the conditions.

    Raises:
        UsageError: `after` is of another list, or the limit is below one.
    """
    if limit < 1:
        raise UsageError("A list of no tags was asked for.", hint="Give a limit of at least 1.")
    wanted = wanted or TagFilter()
    with installation.database.read() as connection:
        tags, more = list_tags(connection, wanted, order=order, limit=limit, after=after)
        return TagPage(library_version(connection), count_tags(connection, wanted), tuple(tags), more)


def tag_portrait(installation: Installation, tag: str) -> TagPortrait:
    """Return one tag, found by its text, an alias, or `#NUMBER`.

    Raises:
        NotFoundError: there is none.
    """
    with installation.database.read() as connection:
        record = find(connection, tag)
        return TagPortrait(
            record,
            tuple(merged_into(connection, [record.id])),
            reach(connection, [record.id]),
            tuple(list_changes(connection, tag=record, limit=SHOWN_CHANGES)),
        )


def tag_groups(installation: Installation) -> list[tuple[str, int]]:
    """Return every group with the number of its tags."""
    with installation.database.read() as connection:
        return list_groups(connection)


def history(
    installation: Installation, *, tag: str | None = None, before: int | None = None, limit: int = 50
) -> list[Change]:
    """Return up to `limit` changes, the newest first; of one tag, those that touched it.

    Raises:
        NotFoundError: there is no such tag.
    """
    with installation.database.read() as connection:
        record = None if tag is None else find(connection, tag)
        return list_changes(connection, tag=record, before=before, limit=limit)


def change_portrait(installation: Installation, version: int) -> ChangePortrait:
    """Return one change with the tags that it touched, at most a hundred.

    Raises:
        NotFoundError: there is none.
    """
    edits: list[Edit] = []
    with installation.database.read() as connection:
        change = load_change(connection, version)
        for some in edits_of(connection, change):
            edits += some
            if len(edits) >= SHOWN_EDITS:
                break
    return ChangePortrait(change, tuple(edits[:SHOWN_EDITS]))


def export_tags(installation: Installation, wanted: TagFilter, out: Path, *, overwrite: bool = False) -> int:
    """Write the tags that meet the conditions to a file that can be imported, and return how many.

    The suffix tells the format: .jsonl, .csv, or .txt, which holds the texts alone. Thresholds, heat and history are
    not written.

    Raises:
        UsageError: the file exists, or its suffix is no format.
        StorageError: it cannot be written.
    """
    if out.suffix.lower() not in WRITERS:
        raise UsageError(
            f"{out}: {out.suffix!r} is no format of a tag library.", hint="Name a .jsonl, .csv or .txt file."
        )
    if out.exists() and not overwrite:
        raise UsageError(f"{out} exists.", hint="Name another file, or allow it with --overwrite.")
    with atomic_path(out) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        return write_tags(installation, wanted, stream, out.suffix.lower())


def write_tags(installation: Installation, wanted: TagFilter, stream: Sink, suffix: str = ".jsonl") -> int:
    """Write the tags that meet the conditions to a text stream, and return how many."""
    count = 0
    with installation.database.read() as connection, WRITERS[suffix](stream) as write:
        for tag in every_tag(connection, wanted):
            write(tag)
            count += 1
    return count


Write = Callable[[TagRecord], None]


@contextmanager
def _json_lines(stream: Sink) -> Iterator[Write]:
    def write(tag: TagRecord) -> None:
        kept = {name: value for name, value in _fields(tag).items() if value}
        stream.write(json.dumps(kept, ensure_ascii=False) + "\n")

    yield write


@contextmanager
def _csv(stream: Sink) -> Iterator[Write]:
    rows = csv.writer(stream)
    rows.writerow(COLUMNS)

    def write(tag: TagRecord) -> None:
        fields = _fields(tag)
        rows.writerow(
            LIST_SEPARATOR.join(cell) if isinstance(cell := fields[name], list) else cell or ""
            for name in COLUMNS
        )

    yield write


@contextmanager
def _lines(stream: Sink) -> Iterator[Write]:
    yield lambda tag: print(tag.text, file=stream)


def _fields(tag: TagRecord) -> dict[str, Any]:
    return {
        "tag": tag.text,
        "aliases": list(tag.aliases),
        "description": tag.description,
        "expires": None if tag.expires_at is None else tag.expires_at.isoformat(),
        "language": tag.language,
        "groups": list(tag.groups),
    }


WRITERS = {".jsonl": _json_lines, ".ndjson": _json_lines, ".csv": _csv, ".txt": _lines}
"""How each format of a file is written."""
