"""What deleted rows leave behind in the files of a database: looking for it, and overwriting it."""

from __future__ import annotations

import mmap
import re
from collections.abc import Collection, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Table

from tagtower.errors import DatabaseError
from tagtower.library.database import Database
from tagtower.library.schema import metadata, videos

SHORTEST = 12
"""Bytes of a text that is looked for in the file of the database; a shorter one stands anywhere."""

LOOKED_FOR = 200
"""Bytes of a text that are looked for: where it is long, it lies in pieces."""

FEW = 50
"""So many traces are looked for one by one; more of them together."""


def traces_of(texts: Iterable[str | None]) -> tuple[bytes, ...]:
    """Return what is looked for in files when texts are to be gone from them."""
    found = {(text or "").encode()[:LOOKED_FOR] for text in texts}
    return tuple(sorted(one for one in found if len(one) >= SHORTEST))


def overwrite(database: Database, traces: Collection[bytes], *, certain: bool) -> None:
    """See to it that the files of the database hold nothing of what was deleted.

    On SQLite deleted rows are overwritten as they go, but copies that moving rows leave behind are not: where the file
    holds one of the `traces` it is written anew. On PostgreSQL the room of dead rows is given free, and when it is
    overwritten is the server's business, as its log and its backups are.

    Args:
        certain: write the file anew in any case.
    Raises:
        DatabaseError: other programs read or write for too long.
    """
    if database.dialect == "postgresql":
        tables = [table.name for table in metadata.sorted_tables if video_columns(table)]
        with database.engine.connect() as connection:
            alone = connection.execution_options(isolation_level="AUTOCOMMIT")
            for name in tables:
                alone.exec_driver_sql(f"VACUUM {name}")
        return
    # Deleted words stay in the index of words until its parts are joined.
    with database.write() as connection:
        connection.exec_driver_sql("INSERT INTO video_words (video_words) VALUES ('optimize')")
    _checkpoint(database)
    if certain or bytes_left([_file(database)], traces):
        with closing(database.engine.raw_connection()) as raw:
            raw.cursor().execute("VACUUM")
        _checkpoint(database)


def database_files(database: Database) -> list[Path]:
    """Return the files that a SQLite database consists of; none for PostgreSQL."""
    if database.dialect == "postgresql":
        return []
    file = _file(database)
    return [file, file.with_name(f"{file.name}-wal")]


def bytes_left(files: Iterable[Path], traces: Collection[bytes]) -> int:
    """Return how many of the traces stand somewhere in the files."""
    found: set[bytes] = set()
    for path in files:
        if not path.exists() or not path.stat().st_size:
            continue
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if len(traces) <= FEW:
                found.update(trace for trace in traces if data.find(trace) >= 0)
            else:  # one pass for many
                pattern = re.compile(b"|".join(map(re.escape, traces)))
                found.update(match.group() for match in pattern.finditer(data))
    return len(found)


def video_columns(table: Table) -> list[Any]:
    """The columns that hold a video's number."""
    if table.name == "videos":
        return [table.c.id]
    return [
        column
        for column in table.columns
        if column.name == "video_id" or any(key.column is videos.c.id for key in column.foreign_keys)
    ]


def _file(database: Database) -> Path:
    assert database.url.database is not None, "a SQLite database is a file"
    return Path(database.url.database)


def _checkpoint(database: Database) -> None:
    """Bring every change into the file and empty the log, which holds pages as they were."""
    with closing(database.engine.raw_connection()) as raw:
        cursor = raw.cursor()
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        answer = cursor.fetchone()
    if answer is not None and answer[0]:
        raise DatabaseError(
            "What was erased is still in the log of the database: another program has been reading for long.",
            hint="When it is done, finish with: tagtower videos HOME erase --finish",
        )
