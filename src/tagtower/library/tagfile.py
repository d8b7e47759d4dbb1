"""Tag library files: text with a tag a line, or JSON Lines or CSV with aliases, description and expiry.

The language and the groups of a tag mean something to the library of an installation only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tagtower.errors import TagLibraryError
from tagtower.library.tags import TagLibrary, tag_fault
from tagtower.records import Problems, Tag
from tagtower.storage.rows import BadRows, FieldError, Row
from tagtower.storage.tables import read_rows
from tagtower.storage.textlines import check_is_file, text_lines

COLUMNS = ("tag", "aliases", "description", "expires", "language", "groups")
TABLE_SUFFIXES = (".jsonl", ".ndjson", ".csv")
TEXT_SUFFIXES = (".txt", "")


@dataclass(frozen=True, slots=True)
class TagEntry:
    """A tag of a file, and the line where it stands."""

    line: int
    tag: Tag
    language: str | None = None
    groups: tuple[str, ...] = ()


def read_tag_library(path: Path, problems: Problems) -> TagLibrary:
    """Return the tags of a file in its order; the suffix tells the format.

    Entries that cannot be used, duplicates and doubly used aliases are counted in `problems`, with file and line.
    Tags that have expired are kept: see `TagLibrary.unexpired`.

    Raises:
        TagLibraryError: the file cannot be read or has no usable tag.
    """
    bad = BadRows(path, problems, TagLibraryError)
    read = list(tag_entries(bad))
    if not read:
        raise bad.nothing_left("tags")
    return TagLibrary.from_tags(
        (entry.tag for entry in read), problems, places=(bad.place(entry.line) for entry in read)
    )


def tag_entries(bad: BadRows) -> Iterator[TagEntry]:
    """Yield the tags of `bad.path` one by one; those whose text can be no tag are added to `bad`.

    Raises:
        TagLibraryError: the file as a whole cannot be read.
    """
    check_is_file(bad)
    suffix = bad.path.suffix.lower()
    if suffix in TABLE_SUFFIXES:
        entries = _table_entries(bad)
    elif suffix in TEXT_SUFFIXES:
        entries = (TagEntry(line, Tag(text)) for line, text in text_lines(bad) if text.strip())
    else:
        raise bad.failure(
            f"{suffix!r} is no format of a tag library.",
            hint="Give text (.txt) with a tag a line, JSON Lines (.jsonl) with one object a line, or CSV (.csv).",
        )
    for entry in entries:
        fault = tag_fault(entry.tag.text)
        if fault is None:
            yield entry
        else:
            bad.add(entry.line, fault)


def _table_entries(bad: BadRows) -> Iterator[TagEntry]:
    for row in read_rows(bad, COLUMNS, one_of=COLUMNS[:1]):
        try:
            yield _entry(row)
        except FieldError as fault:
            bad.add(row.line, str(fault))


def _entry(row: Row) -> TagEntry:
    text = row.text("tag")
    if text is None:
        raise FieldError("tag", "is missing")
    tag = Tag(text, row.texts("aliases"), row.text("description"), row.time("expires"))
    return TagEntry(row.line, tag, row.text("language"), row.texts("groups"))
