"""The feature store: what was once computed of a file or text, kept for every later run and command.

Knows keys and arrays; does not know what an array means or how it was made: the key's `spec` says that.
"""

from __future__ import annotations

import os
import stat
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tagtower.errors import MediaError, StorageError
from tagtower.features.blob import decode_array, encode_array
from tagtower.features.database import Database
from tagtower.storage.hashing import hash_file

CENTRE = -1
"""The draw of what involves no chance: the centre frames, the sound, a text."""

TOUCH_SECONDS = 3600
"""The time of last use is this coarse, so that reading hardly ever writes."""


@dataclass(frozen=True, slots=True)
class FeatureKey:
    """What an array was computed from and how.

    `content` is the hash of the file or text, `spec` the hash of all that the computation depends on, and `draw`
    says which seeded random draw of frames was taken, or `CENTRE`.
    """

    content: str
    spec: str
    draw: int


@dataclass(frozen=True, slots=True)
class StoreSize:
    """How much a store holds; the file is a little larger than its `bytes`."""

    entries: int
    bytes: int


class FeatureStore:
    """Arrays by `FeatureKey` in one SQLite file; threads and processes may share it.

    Whatever is damaged or missing is a miss, never a wrong array. A process killed while it writes leaves the
    store as it was before that call.

    Raises:
        StorageError: from every method: the disk is full or read-only, or the file is no feature store.
    """

    def __init__(self, path: str | Path, *, clock: Callable[[], float] = time.time) -> None:
        self.path = Path(path)
        self._clock = clock
        self._database = Database(self.path)

    @staticmethod
    def default_path() -> Path:
        """Return the user's own store: below $TAGTOWER_CACHE, or else below the user's cache folder."""
        if own := os.environ.get("TAGTOWER_CACHE"):
            return Path(own).expanduser() / "features.sqlite"
        caches = os.environ.get("XDG_CACHE_HOME")
        return (Path(caches) if caches else Path.home() / ".cache") / "tagtower" / "features.sqlite"

    @classmethod
    @contextmanager
    def temporary(cls) -> Iterator[FeatureStore]:
        """Give a store that is gone when the block ends."""
        with tempfile.TemporaryDirectory(prefix="tagtower-") as folder:
            store = cls(Path(folder) / "features.sqlite")
            try:
                yield store
            finally:
                store.close()

    def close(self) -> None:
        """Close the file; the store cannot be used again."""
        self._database.close()

    def get(self, key: FeatureKey) -> np.ndarray | None:
        """Return the array of a key, or None."""
        return self.get_many([key]).get(key)

    def get_many(self, keys: Collection[FeatureKey]) -> dict[FeatureKey, np.ndarray]:
        """Return the arrays of those keys that are there."""
        found: dict[FeatureKey, np.ndarray] = {}
        stale: list[int] = []
        damaged: list[int] = []
        now = int(self._clock())
        with self._database.read() as connection:
            for key in keys:
                row = connection.execute(
                    "SELECT entries.id, used, value FROM entries JOIN arrays USING (id) "
                    "WHERE content = ? AND spec = ? AND draw = ?",
                    (key.content, key.spec, key.draw),
                ).fetchone()
                if row is None:
                    continue
                entry, used, blob = row
                array = decode_array(blob)
                if array is None:
                    damaged.append(entry)
                    continue
                found[key] = array
                if now - used >= TOUCH_SECONDS:
                    stale.append(entry)
        if stale or damaged:
            self._note(stale, damaged, now)
        return found

    def has_many(self, keys: Collection[FeatureKey]) -> set[FeatureKey]:
        """Return those keys that are there, without reading their arrays."""
        with self._database.read() as connection:
            return {
                key
                for key in keys
                if connection.execute(
                    "SELECT 1 FROM entries WHERE content = ? AND spec = ? AND draw = ?",
                    (key.content, key.spec, key.draw),
                ).fetchone()
            }

    def put_many(self, arrays: Mapping[FeatureKey, np.ndarray]) -> None:
        """Store arrays, all or none; one that is there is replaced."""
        if not arrays:
            return
        blobs = [(key, encode_array(array)) for key, array in arrays.items()]
        now = int(self._clock())
        with self._database.write() as connection:
            for key, blob in blobs:
                entry = connection.execute(
                    "INSERT INTO entries (content, spec, draw, bytes, used) VALUES (?, ?, ?, ?, ?) "
                    "ON CONFLICT DO UPDATE SET bytes = excluded.bytes, used = excluded.used RETURNING id",
                    (key.content, key.spec, key.draw, len(blob), now),
                ).fetchone()
                connection.execute("REPLACE INTO arrays (id, value) VALUES (?, ?)", (entry[0], blob))

    def size(self) -> StoreSize:
        """Return how many arrays there are and how many bytes they take."""
        with self._database.read() as connection:
            row = connection.execute("SELECT COUNT(*), COALESCE(SUM(bytes), 0) FROM entries").fetchone()
        return StoreSize(entries=row[0], bytes=row[1])

    def prune(self, max_bytes: int) -> StoreSize:
        """Delete the arrays that were not used for longest until `max_bytes` are left, and return what is left.

        The hashes of files of which nothing is left are forgotten as well.
        """
        with self._database.write() as connection:
            connection.execute(
                "DELETE FROM entries WHERE id IN (SELECT id FROM (SELECT id, SUM(bytes) OVER "
                "(ORDER BY used DESC, id DESC) AS newer FROM entries) WHERE newer > ?)",
                (max_bytes,),
            )
            connection.execute("DELETE FROM files WHERE content NOT IN (SELECT content FROM entries)")
        self._database.shrink()
        return self.size()

    def remove(self, contents: Collection[str]) -> dict[str, int]:
        """Delete all that was computed of these contents, overwrite it on the disk, and return how many arrays of each.

        The paths under which a file with such content was seen are forgotten too.

        Raises:
            StorageError: also where another program reads the store for so long that old pages cannot be dropped.
        """
        removed: dict[str, int] = {}
        with self._database.erase() as connection:
            for content in contents:
                gone = connection.execute("DELETE FROM entries WHERE content = ?", (content,)).rowcount
                removed[content] = removed.get(content, 0) + gone
                connection.execute("DELETE FROM files WHERE content = ?", (content,))
        return removed

    def compact(self) -> None:
        """Write the file anew, with nothing in it but what is stored."""
        self._database.rewrite()

    def holds(self, contents: Collection[str]) -> int:
        """Return how many arrays and paths there are of these contents."""
        with self._database.read() as connection:
            return sum(
                connection.execute(
                    "SELECT (SELECT COUNT(*) FROM entries WHERE content = ?1) "
                    "+ (SELECT COUNT(*) FROM files WHERE content = ?1)",
                    (content,),
                ).fetchone()[0]
                for content in contents
            )

    def content_hash(self, path: str | Path) -> str:
        """Return the hash of a file's bytes, read again only if its size or time of change differ.

        Raises:
            MediaError: it is missing, no regular file, or may not be read.
        """
        try:
            file = Path(path).resolve()
            before = file.stat()
            if not stat.S_ISREG(before.st_mode):
                raise MediaError(str(path), "unreadable", "is no regular file")
            with self._database.read() as connection:
                row = connection.execute(
                    "SELECT content FROM files WHERE path = ? AND size = ? AND mtime_ns = ?",
                    (str(file), before.st_size, before.st_mtime_ns),
                ).fetchone()
            if row is not None:
                return str(row[0])
            content = hash_file(file)
            after = file.stat()
        except FileNotFoundError as error:
            raise MediaError(str(path), "missing", "does not exist") from error
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
            raise MediaError(str(path), "unreadable", f"cannot be read: {error}") from error
        if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns):
            with self._database.write() as connection:
                connection.execute(
                    "REPLACE INTO files (path, size, mtime_ns, content) VALUES (?, ?, ?, ?)",
                    (str(file), after.st_size, after.st_mtime_ns, content),
                )
        return content

    def _note(self, used: Collection[int], damaged: Collection[int], now: int) -> None:
        # Neither is worth failing a read for.
        with suppress(StorageError), self._database.write() as connection:
            connection.executemany(
                "UPDATE entries SET used = ? WHERE id = ?", [(now, entry) for entry in used]
            )
            connection.executemany("DELETE FROM entries WHERE id = ?", [(entry,) for entry in damaged])
