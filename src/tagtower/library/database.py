"""The database of an installation: one SQLite file or a PostgreSQL server behind the same two verbs, read and write.

Only `library/` opens it. A `read` sees one moment and never waits for writers; a `write` is all or nothing, and on
SQLite the only one of its time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.pool import QueuePool

from tagtower.errors import ConfigError, DatabaseError, MissingExtraError

BUSY_SECONDS = 60.0
"""A writer waits so long for another on SQLite; a worker's batch takes milliseconds, an import of a hundred
thousand tags some seconds. One of a million took two minutes: split such a file, or others are told to wait."""

AFTER_COMMIT = "tagtower_after_commit"
"""The option of a writing connection that holds what is to be done after its commit."""

MAPPED_BYTES = 256 * 1024**2
"""So much of a SQLite file is read where the system keeps it, and not copied into the memory of each connection."""

PAGE_CACHE_KIB = 8 * 1024
"""What a connection keeps of its own changes, so that a large one is not written out before its end."""

CONNECTIONS = 8
"""Connections that are kept open: to open one costs more than most questions. The one that was used last is taken
first, so that caches are warm, and no more are filled than are wanted at a time."""


@final
class Database:
    """An open database; `dialect` tells which kind."""

    def __init__(self, url: URL | str) -> None:
        parsed = parse_database_url(str(url)) if isinstance(url, str) else url
        self.url = parsed
        self.dialect: Literal["sqlite", "postgresql"] = (
            "sqlite" if parsed.get_backend_name() == "sqlite" else "postgresql"
        )
        self._engine = _sqlite(parsed) if self.dialect == "sqlite" else _postgresql(parsed)

    @classmethod
    def file(cls, path: Path) -> Database:
        """Open the SQLite file `path`, which is made where it is missing."""
        return cls(URL.create("sqlite", database=str(path)))

    @property
    def engine(self) -> Engine:
        """The engine, for migrations."""
        return self._engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees the database as it was when it was asked first.

        Raises:
            DatabaseError: the database is gone.
        """
        with _failures(self.url), self._engine.connect() as connection:
            if self.dialect == "postgresql":
                connection = connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            with connection.begin():
                yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection whose changes are kept when the block ends well, and undone otherwise.

        Raises:
            DatabaseError: the database is gone, locked for a minute, full, or read-only.
        """
        kept: list[Callable[[], None]] = []
        with _failures(self.url), self._engine.connect() as connection:
            connection = connection.execution_options(
                **{AFTER_COMMIT: kept, "immediate": self.dialect == "sqlite"}
            )
            with connection.begin():
                yield connection
        for action in kept:
            action()

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def after_commit(connection: Connection, action: Callable[[], None]) -> None:
    """Have `action` done once the write that `connection` belongs to is kept, and never where it is undone.

    It may be lost where the program is killed in between, so whatever has to happen must be found again elsewhere.
    """
    connection.get_execution_options()[AFTER_COMMIT].append(action)


def parse_database_url(text: str) -> URL:
    """Return the address of a database as SQLAlchemy reads it; the PostgreSQL driver is always psycopg.

    Raises:
        ConfigError: it is none, or of another kind.
    """
    allowed = "Give sqlite:////path/to/file or postgresql://user:password@host/database."
    try:
        url = make_url(text)
    except ArgumentError:
        raise ConfigError("The address of the database cannot be read.", hint=allowed) from None
    if url.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername in ("sqlite", "sqlite+pysqlite") and url.database:
        return url
    raise ConfigError(f"There is no support for a database of the kind {url.drivername!r}.", hint=allowed)


def _sqlite(url: URL) -> Engine:
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=CONNECTIONS,
        pool_use_lifo=True,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
    )

    def on_connect(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None  # BEGIN is ours, see `on_begin`
        for pragma in (
            "foreign_keys=ON",
            "journal_mode=WAL",
            "synchronous=FULL",  # what was answered as stored survives a power cut
            "secure_delete=ON",  # what is deleted is overwritten, so that erasing is more than forgetting
            "temp_store=MEMORY",
            f"cache_size=-{PAGE_CACHE_KIB}",
            f"mmap_size={MAPPED_BYTES}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    def on_begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("immediate", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)
    return engine


def _postgresql(url: URL) -> Engine:
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise MissingExtraError("A PostgreSQL database", "postgres") from None
    return create_engine(
        url,
        pool_size=CONNECTIONS,
        pool_use_lifo=True,
        pool_pre_ping=True,
        pool_recycle=1800,
        connect_args={"connect_timeout": 10},
    )


@contextmanager
def _failures(url: URL) -> Iterator[None]:
    """Turn what a database may do to anybody into an expected failure; a wrong statement stays a bug."""
    where = url.render_as_string(hide_password=True)
    try:
        yield
    except (OperationalError, InterfaceError) as fault:
        raise _expected(fault, where) from fault
    except DBAPIError as fault:
        if fault.connection_invalidated:
            raise _expected(fault, where) from fault
        raise


def _expected(fault: DBAPIError, where: str) -> DatabaseError:
    reason = str(fault.orig).strip().splitlines()[0] if str(fault.orig).strip() else type(fault.orig).__name__
    if "locked" in reason or "busy" in reason:
        hint = f"Another program has been writing for over {BUSY_SECONDS:.0f} s: look for one that hangs."
    elif "full" in reason or "disk" in reason.lower():
        hint = "Make room on the disk, or check that it can be written to; nothing that was stored is lost."
    else:
        hint = "Check that it runs and can be reached; nothing that was stored is lost."
    return DatabaseError(f"The database {where} failed: {reason}.", hint=hint)
