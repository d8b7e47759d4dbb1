"""The rows of a database as files that either engine takes, table by table, and back again.

A file is JSON Lines, compressed: first a line that names the columns and what they hold, then a line a row. Vectors
are not among them, since each engine keeps them its own way, and neither is what is computed from other columns.
Leases, workers and unfinished uploads end with the installation that they were in.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    Column,
    Connection,
    LargeBinary,
    MetaData,
    Table,
    Text,
    bindparam,
    cast,
    func,
    insert,
    select,
    text,
    update,
)

from tagtower.errors import StorageError
from tagtower.library.schema import Instant, Json, metadata
from tagtower.library.videos.words import search_words

LEFT_OUT = frozenset({"vectors", "segments", "workers", "uploads"})
COMPUTED = "words"
ROWS = 1000
SUFFIX = ".jsonl.gz"
FASTEST = 1
"""Of gzip: half the time of the usual level, for files a tenth larger."""

KINDS: Mapping[str, Any] = {"time": Instant(), "json": Json, "bytes": LargeBinary(), "plain": None}


def dumped_tables() -> list[Table]:
    """Return the tables that are written, each after those that it refers to."""
    return [table for table in metadata.sorted_tables if table.name not in LEFT_OUT]


def dump_table(connection: Connection, table: Table, path: Path) -> int:
    """Write the rows of a table to a file, and return how many there were."""
    columns = [one for one in table.columns if not (table.name == "videos" and one.name == COMPUTED)]
    kinds = [_kind(one) for one in columns]
    rows = connection.execution_options(yield_per=ROWS).execute(select(*columns))
    count = 0
    with gzip.open(path, "wt", compresslevel=FASTEST, encoding="utf-8", newline="\n") as file:
        header = {
            "table": table.name,
            "columns": [[one.name, kind] for one, kind in zip(columns, kinds, strict=True)],
        }
        file.write(json.dumps(header) + "\n")
        leased = [one.name.startswith("lease_") for one in columns]
        for row in rows:
            values = [
                None if ends else _written(value, kind)
                for value, kind, ends in zip(row, kinds, leased, strict=True)
            ]
            file.write(json.dumps(values, ensure_ascii=False, separators=(",", ":")) + "\n")
            count += 1
    return count


def load_table(connection: Connection, name: str, path: Path) -> int:
    """Write the rows of a file into the empty table `name`, and return how many there were.

    Raises:
        StorageError: the file is not what `dump_table` writes of such a table.
    """
    lines = _lines(path)
    header = next(lines, None)
    if not isinstance(header, dict) or header.get("table") != name:
        raise _damaged(path)
    columns: list[tuple[str, str]] = [(str(one), str(kind)) for one, kind in header["columns"]]
    if any(kind not in KINDS for _, kind in columns):
        raise _damaged(path)
    table = Table(name, MetaData(), *(Column(one, KINDS[kind]) for one, kind in columns))
    if name == "videos":
        table.append_column(Column(COMPUTED))
    known = metadata.tables.get(name)
    later = [] if known is None else [one.name for one in known.columns if _refers_to_itself(one)]
    key = columns[0][0]
    postponed: list[dict[str, Any]] = []
    count = 0
    statement = _insertion(connection, table)
    while part := list(islice(lines, ROWS)):
        rows = [_row(path, values, columns) for values in part]
        for row in rows:
            if any(row.get(one) is not None for one in later):
                postponed.append({"key": row[key], **{one: row[one] for one in later}})
                row.update(dict.fromkeys(later))
            if name == "videos":
                found = search_words(row.get("title"), row.get("description"), row.get("subtitles"))
                row[COMPUTED] = found if connection.dialect.name == "postgresql" else " ".join(found)
        connection.execute(statement, rows)
        count += len(rows)
    if postponed:
        changed = update(table).where(table.c[key] == bindparam("key"))
        connection.execute(changed.values({one: bindparam(one) for one in later}), postponed)
    return count


def given_numbers(connection: Connection) -> dict[str, int]:
    """Return by table the greatest number that was ever given to a row, also to one that is gone."""
    found: dict[str, int] = {}
    for table in dumped_tables():
        column = _numbered(table)
        if column is None:
            continue
        greatest = connection.scalar(select(func.max(column))) or 0
        if connection.dialect.name == "sqlite":
            with suppress(LookupError):
                given = connection.execute(
                    text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": table.name}
                ).scalar()
                greatest = max(greatest, int(given or 0))
        else:
            sequence = _sequence(connection, table, column)
            given = connection.scalar(
                text(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}")
            )
            greatest = max(greatest, int(given or 0))
        found[table.name] = greatest
    return found


def set_numbers(connection: Connection, numbers: Mapping[str, int]) -> None:
    """See to it that no number is given again."""
    for table in dumped_tables():
        column, greatest = _numbered(table), int(numbers.get(table.name, 0))
        if column is None or greatest < 1:
            continue
        if connection.dialect.name == "postgresql":
            sequence = _sequence(connection, table, column)
            connection.execute(select(func.setval(sequence, greatest)))
        elif table.dialect_options["sqlite"]["autoincrement"]:
            name = {"name": table.name, "seq": greatest}
            connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), name)
            connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)"), name)


def _insertion(connection: Connection, table: Table) -> Any:
    if table.name == "videos" and connection.dialect.name == "postgresql":
        words = func.array_to_tsvector(cast(bindparam(COMPUTED), ARRAY(Text)))
        values: dict[str, Any] = {
            one.name: bindparam(one.name) for one in table.columns if one.name != COMPUTED
        }
        return insert(table).values({**values, COMPUTED: words})
    return insert(table)


def _row(path: Path, values: Any, columns: Sequence[tuple[str, str]]) -> dict[str, Any]:
    if not isinstance(values, list) or len(values) != len(columns):
        raise _damaged(path)
    try:
        return {one: _read(value, kind) for value, (one, kind) in zip(values, columns, strict=True)}
    except (ValueError, TypeError) as fault:
        raise _damaged(path) from fault


def _written(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "time":
        return value.isoformat()
    if kind == "bytes":
        return base64.b64encode(value).decode()
    return value


def _read(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "time":
        return datetime.fromisoformat(value)
    if kind == "bytes":
        return base64.b64decode(value, validate=True)
    return value


def _kind(column: Column[Any]) -> str:
    if isinstance(column.type, Instant):
        return "time"
    if isinstance(column.type, JSON):
        return "json"
    return "bytes" if isinstance(column.type, LargeBinary) else "plain"


def _lines(path: Path) -> Iterator[Any]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)
    except (OSError, EOFError, ValueError) as fault:
        raise _damaged(path) from fault


def _damaged(path: Path) -> StorageError:
    return StorageError(f"{path}: is no file of rows, or is damaged.", hint="Restore another backup.")


def _refers_to_itself(column: Column[Any]) -> bool:
    return any(key.column.table is column.table for key in column.foreign_keys)


def _numbered(table: Table) -> Column[Any] | None:
    """The column in which the database numbers the rows of a table by itself, if there is one."""
    column = table.autoincrement_column
    return None if column is None or column.foreign_keys else column


def _sequence(connection: Connection, table: Table, column: Column[Any]) -> str:
    found = connection.scalar(select(func.pg_get_serial_sequence(table.name, column.name)))
    assert found is not None, "its rows are numbered"
    return str(found)
