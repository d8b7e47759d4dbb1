"""The SQLite file behind the feature store: opening, sharing among threads and processes, and its failures."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tagtower.errors import StorageError

FORMAT = 1
WAIT_SECONDS = 60.0
PAGE_BYTES = 16384
"""Large pages: a stored frame block is about a megabyte."""

JOURNAL_BYTES = 64 << 20

CHECK_PLACE = "Check that its folder exists and may be written to, or name another place by TAGTOWER_CACHE."
HINTS = {
    sqlite3.SQLITE_FULL: "The disk is full: free some space, name a larger one by TAGTOWER_CACHE, or delete this "
    "file; it holds only what can be computed again.",
    sqlite3.SQLITE_IOERR: "The disk is full or faulty: free some space, or name another by TAGTOWER_CACHE.",
    sqlite3.SQLITE_BUSY: f"Another process kept it locked for {WAIT_SECONDS:.0f} s: try again when that is done.",
    sqlite3.SQLITE_CORRUPT: "The file is damaged: delete it; it holds only what can be computed again.",
    sqlite3.SQLITE_NOTADB: "The file is no feature store: name another place, or delete it.",
}

SCHEMA = """
CREATE TABLE entries (
    id INTEGER PRIMARY KEY,
    content TEXT NOT NULL,
    spec TEXT NOT NULL,
    draw INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    used INTEGER NOT NULL,
    UNIQUE (content, spec, draw)
);
CREATE TABLE arrays (
    id INTEGER PRIMARY KEY REFERENCES entries (id) ON DELETE CASCADE,
    value BLOB NOT NULL
);
CREATE TABLE files (
    path TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    content TEXT NOT NULL
);
"""


class Database:
    """One connection, used by one thread at a time; other processes have their own to the same file.

    Raises:
        StorageError: the file cannot be opened, or is of another format.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                path, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Close the connection; it cannot be used again."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Give the connection for queries.

        Raises:
            StorageError: the file cannot be read.
        """
        with self._lock, storage_errors(self.path):
            yield self._connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Give the connection inside a transaction, which is committed when the block ends well.

        Raises:
            StorageError: the file cannot be written; it is as before.
        """
        with self._lock, storage_errors(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # SQLite itself rolls back on some failures
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def erase(self) -> Iterator[sqlite3.Connection]:
        """Give the connection inside a transaction whose deletions are overwritten on the disk, not only forgotten.

        Raises:
            StorageError: the file cannot be written, or others read it for too long.
        """
        with self.read() as connection:
            connection.execute("PRAGMA secure_delete = ON").fetchall()
        with self.write() as connection:
            yield connection
        self.shrink()
        with self.read() as connection:
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            raise StorageError(
                f"{self.path}: what was deleted could not be overwritten yet: others read the store.",
                hint="Try again when they are done.",
            )

    def rewrite(self) -> None:
        """Write the file anew, without the room of deleted rows."""
        with self.read() as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def shrink(self) -> None:
        """Give the space of deleted rows back to the disk, as far as other users of the file allow."""
        with self.read() as connection:
            # Frees a page at every step, and only a script is stepped through to its end.
            connection.executescript("PRAGMA incremental_vacuum")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _prepare(self) -> None:
        self._connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        self._connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        self._switch_to_wal()
        # Survives a killed process; after a power cut the last entries may be missing, which a cache may.
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.execute(f"PRAGMA journal_size_limit = {JOURNAL_BYTES}")
        with self.write() as connection:
            found = connection.execute("PRAGMA user_version").fetchone()[0]
            if found == 0:
                for statement in SCHEMA.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {FORMAT}")
            elif found != FORMAT:
                raise StorageError(
                    f"{self.path}: this feature store has format {found}, and this version reads {FORMAT}.",
                    hint="Delete the file, or name another one; it holds only what can be computed again.",
                )

    def _switch_to_wal(self) -> None:
        # Here SQLite does not wait for others that open the file at the same moment.
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system complain about into `StorageError` with a way out."""
    try:
        yield
    except (sqlite3.ProgrammingError, sqlite3.IntegrityError, sqlite3.DataError):
        raise  # bugs, not failures of the disk
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        raise StorageError(
            f"{path}: the feature store failed: {error}.", hint=HINTS.get(code, CHECK_PLACE)
        ) from error
    except OSError as error:
        raise StorageError(
            f"{path}: the feature store cannot be opened: {error.strerror}.", hint=CHECK_PLACE
        ) from error
