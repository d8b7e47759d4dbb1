"""Tables of JSON Lines, CSV and Parquet as rows, read one at a time; a row that cannot be read names its line."""

from __future__ import annotations

import csv
import difflib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tagtower.errors import MissingExtraError
from tagtower.storage.rows import BadRows, Row, shorten
from tagtower.storage.textlines import check_is_file, text_lines

PARQUET_BATCH = 4096
NAMES_SHOWN = 8


def read_rows(bad: BadRows, columns: Collection[str], *, one_of: Collection[str]) -> Iterator[Row]:
    """Yield the rows of `bad.path` in order, with those fields that are `columns`; the suffix tells the format.

    Bad rows are added to `bad`. Columns with other names are left out and counted, in one problem for all.

    Args:
        bad: the file, and what becomes of its bad rows.
        columns: the names that are known.
        one_of: of these a table with a header must have one.
    Raises:
        InputError: the file as a whole cannot be read; its kind is `bad.error`.
        MissingExtraError: it is a Parquet file and pyarrow is not installed.
    """
    strangers = _Strangers(frozenset(columns))
    yield from TABLE_FORMATS[bad.path.suffix.lower()](bad, strangers, one_of)
    strangers.report(bad)


@dataclass(slots=True)
class _Strangers:
    """Columns that are not known, and in how many rows they were seen."""

    known: frozenset[str]
    rows: Counter[str] = field(default_factory=Counter)

    def known_of(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Return the known fields, and count the others."""
        if fields.keys() <= self.known:
            return fields
        self.rows.update(fields.keys() - self.known)
        return {name: value for name, value in fields.items() if name in self.known}

    def report(self, bad: BadRows) -> None:
        """Add one problem for all of them."""
        if not self.rows:
            return
        named = [
            f"{shorten(name)} (rows: {rows}{_nearest(name, self.known)})"
            for name, rows in self.rows.most_common(NAMES_SHOWN)
        ]
        more = f" and {len(self.rows) - len(named)} more" if len(self.rows) > len(named) else ""
        bad.problems.add(
            str(bad.path), f"columns that are not known are passed over: {', '.join(named)}{more}"
        )


def _nearest(name: str, known: frozenset[str]) -> str:
    near = difflib.get_close_matches(name.strip().lower(), sorted(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def _jsonl_rows(bad: BadRows, strangers: _Strangers, one_of: Collection[str]) -> Iterator[Row]:
    for line, text in text_lines(bad):
        if not text.strip():
            continue
        try:
            fields = json.loads(text)
        except json.JSONDecodeError as fault:
            bad.add(
                line, f"no JSON: {fault.msg} at column {fault.colno}; JSON Lines has one whole object a line"
            )
        except (RecursionError, ValueError) as fault:
            bad.add(line, f"no usable JSON: {fault}")
        else:
            if isinstance(fields, dict):
                yield Row(line, strangers.known_of(fields))
            else:
                bad.add(
                    line,
                    f"{type(fields).__name__} where an object is wanted; JSON Lines has one object a line",
                )


def _csv_rows(bad: BadRows, strangers: _Strangers, one_of: Collection[str]) -> Iterator[Row]:
    feed = _CsvFeed(text_lines(bad))
    names: list[str] | None = None
    for cells in feed.rows(bad):
        if names is None:
            names = [name.strip() for name in cells]
            _check_header(bad, names, strangers.known, one_of)
        elif len(cells) != len(names):
            bad.add(
                feed.first,
                f"{len(cells)} cells, where the header has {len(names)}; a text that holds commas is put in quotes",
            )
        else:
            fields = {name: cell for name, cell in zip(names, cells, strict=True) if name}
            yield Row(feed.first, strangers.known_of(fields), joined_lists=True)


class _CsvFeed:
    """Hands lines to the CSV reader and remembers in `first` where the present row began."""

    def __init__(self, lines: Iterator[tuple[int, str]]) -> None:
        self.first = 0
        self._lines = lines

    def rows(self, bad: BadRows) -> Iterator[list[str]]:
        """Yield the cells of each row that holds something; a row that breaks the rules of CSV is added to `bad`."""
        reader = csv.reader(self, strict=True)
        while True:
            self.first = 0
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as fault:
                bad.add(
                    self.first,
                    f"no CSV: {fault}; the row begins here, perhaps with a quote that is never closed",
                )
                continue
            if any(cell.strip() for cell in cells):
                yield cells

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line, text = next(self._lines)
        self.first = self.first or line
        return text + "\n"


def _parquet_rows(bad: BadRows, strangers: _Strangers, one_of: Collection[str]) -> Iterator[Row]:
    check_is_file(bad)
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise MissingExtraError("Reading Parquet", "parquet") from None
    try:
        with parquet.ParquetFile(bad.path) as file:
            names = file.schema_arrow.names
            _check_header(bad, names, strangers.known, one_of)
            strangers.rows.update(
                {name: file.metadata.num_rows for name in names if name not in strangers.known}
            )
            line = 0
            for batch in file.iter_batches(
                PARQUET_BATCH, columns=[name for name in names if name in strangers.known]
            ):
                for fields in batch.to_pylist():
                    line += 1
                    yield Row(line, fields)
    except (pyarrow.ArrowException, OSError, ValueError) as fault:
        raise bad.failure(f"cannot be read as Parquet: {fault}") from fault


def _check_header(bad: BadRows, names: list[str], known: frozenset[str], one_of: Collection[str]) -> None:
    twice = sorted({name for name in names if name in known and names.count(name) > 1})
    if twice:
        raise bad.failure(f"the header names {', '.join(map(repr, twice))} twice.")
    if not any(name in one_of for name in names):
        shown = ", ".join(shorten(name) + _nearest(name, known) for name in names[:NAMES_SHOWN])
        raise bad.failure(
            f"the header has no column {' or '.join(map(repr, one_of))}; it has {shown}.",
            hint="The first line names the columns, with commas between them.",
        )


TABLE_FORMATS: Mapping[str, Callable[[BadRows, _Strangers, Collection[str]], Iterator[Row]]] = {
    ".jsonl": _jsonl_rows,
    ".ndjson": _jsonl_rows,
    ".csv": _csv_rows,
    ".parquet": _parquet_rows,
}
