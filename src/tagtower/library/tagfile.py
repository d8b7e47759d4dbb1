"""Tag library files: text with a tag a line, or JSON Lines or CSV with aliases, description and expiry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tagtower.errors import TagLibraryError
from tagtower.library.tags import TagLibrary, tag_fault
from tagtower.records import Problems, Tag
from tagtower.storage.rows import BadRows, FieldError, Row
from tagtower.storage.tables import read_rows
from tagtower.storage.textlines import check_is_file, text_lines

COLUMNS = ("tag", "aliases", "description", "expires")
TABLE_SUFFIXES = (".jsonl", ".ndjson", ".csv")
TEXT_SUFFIXES = (".txt", "")


def read_tag_library(path: Path, problems: Problems) -> TagLibrary:
    """Return the tags of a file in its order; the suffix tells the format.

    Entries that cannot be used, duplicates and doubly used aliases are counted in `problems`, with file and line.
    Tags that have expired are kept: see `TagLibrary.unexpired`.

    Raises:
        TagLibraryError: the file cannot be read or has no usable tag.
    """
    bad = BadRows(path, problems, TagLibraryError)
    check_is_file(bad)
    suffix = path.suffix.lower()
    if suffix in TABLE_SUFFIXES:
        entries = _table_entries(bad)
    elif suffix in TEXT_SUFFIXES:
        entries = _text_entries(bad)
    else:
        raise bad.failure(
            f"{suffix!r} is no format of a tag library.",
            hint="Give text (.txt) with a tag a line, JSON Lines (.jsonl) with one object a line, or CSV (.csv).",
        )
    read: list[tuple[int, Tag]] = []
    for line, tag in entries:
        fault = tag_fault(tag.text)
        if fault is None:
            read.append((line, tag))
        else:
            bad.add(line, fault)
    if not read:
        raise bad.nothing_left("tags")
    return TagLibrary.from_tags(
        (tag for _, tag in read), problems, places=(bad.place(line) for line, _ in read)
    )


def _text_entries(bad: BadRows) -> Iterator[tuple[int, Tag]]:
    for line, text in text_lines(bad):
        if text.strip():
            yield line, Tag(text)


def _table_entries(bad: BadRows) -> Iterator[tuple[int, Tag]]:
    for row in read_rows(bad, COLUMNS, one_of=COLUMNS[:1]):
        try:
            yield row.line, _tag(row)
        except FieldError as fault:
            bad.add(row.line, str(fault))


def _tag(row: Row) -> Tag:
    text = row.text("tag")
    if text is None:
        raise FieldError("tag", "is missing")
    return Tag(text, row.texts("aliases"), row.text("description"), row.time("expires"))
