"""The folder of segment files: where each lies, the maps of those that were read, and one writer at a time.

FINGERPRINT/000001.vectors    a segment file of the models with that vector fingerprint
FINGERPRINT/lock              held by whoever writes there
"""

from __future__ import annotations

import fcntl
import shutil
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import final

import numpy as np

from tagtower.library.models import ModelRecord
from tagtower.library.vectors.segment_file import SegmentFile

GRACE_SECONDS = 3600.0
"""A file that no longer counts stays so long for readers of an earlier moment."""


@final
class SegmentFolder:
    """The segment files of an installation, used by several threads and processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._maps: dict[tuple[str, int], np.ndarray] = {}
        self._lock = threading.Lock()

    def file(self, model: ModelRecord, segment: int) -> SegmentFile:
        """Return a file of a model, which need not exist."""
        path = self._path(model.vector_fingerprint, segment)
        return SegmentFile(path, model.width, model.vector_fingerprint)

    def map(self, model: ModelRecord, segment: int, rows: int) -> np.ndarray:
        """Return the rows of a file, at least `rows`; see `SegmentFile.map`. It is mapped anew only where it grew."""
        key = (model.vector_fingerprint, segment)
        with self._lock:
            known = self._maps.get(key)
            if known is None or len(known) < rows:
                known = self._maps[key] = self.file(model, segment).map(rows)
            return known

    def forget_maps(self, fingerprint: str, keep: Collection[int]) -> None:
        """Let go of the maps of all but some segments; what is in use stays readable."""
        with self._lock:
            for key in [key for key in self._maps if key[0] == fingerprint and key[1] not in keep]:
                del self._maps[key]

    @contextmanager
    def one_writer(self, fingerprint: str) -> Iterator[None]:
        """Wait for other writers of the same files, in whatever process."""
        folder = self._folder / fingerprint
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def newest(self, fingerprint: str) -> int:
        """Return the highest number of a file that lies there, 0 where there is none."""
        stems = (path.stem for path in (self._folder / fingerprint).glob("*.vectors"))
        return max((int(stem) for stem in stems if stem.isdigit()), default=0)

    def remove(self, fingerprint: str) -> None:
        """Delete all files with a vector fingerprint."""
        self.forget_maps(fingerprint, ())
        shutil.rmtree(self._folder / fingerprint, ignore_errors=True)

    def remove_strays(self, listed: Collection[tuple[str, int]]) -> int:
        """Delete the files that are not `listed` and have been so for a while; return how many.

        One that was just made is not listed before its writer's commit.
        """
        paths = {self._path(fingerprint, segment) for fingerprint, segment in listed}
        oldest = time.time() - GRACE_SECONDS
        strays = [
            path
            for path in self._folder.glob("*/*.vectors")
            if path not in paths and path.stat().st_mtime < oldest
        ]
        for path in strays:
            path.unlink(missing_ok=True)
        return len(strays)

    def _path(self, fingerprint: str, segment: int) -> Path:
        return self._folder / fingerprint / f"{segment:06d}.vectors"
