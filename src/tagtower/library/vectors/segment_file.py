"""A segment file: vectors one after the other, each behind the number of its video, in a file that only grows.

    header, 4096 bytes   what the file is, the width and the vector fingerprint, as readable text
    rows                 8 bytes of number, then the vector in float32, all little-endian; zeros are no row any more

Which rows count is known elsewhere: a row at the end that nobody knows of was never finished, and is cut off before
the next is written.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Float32, Int64

from tagtower.errors import FingerprintError, StorageError
from tagtower.storage.atomic import NO_ROOM, write_bytes

MAGIC = b"TagTower vectors 1\n"
HEADER_BYTES = 4096
MAX_BYTES = 256 << 20
"""Of one file, so that copying or compacting one is a small step."""


@final
class SegmentFile:
    """One file of vectors of a model."""

    def __init__(self, path: Path, width: int, fingerprint: str) -> None:
        self.path = path
        self._width = width
        self._fingerprint = fingerprint
        self._row = np.dtype([("id", "<i8"), ("vector", "<f4", (width,))])

    @property
    def capacity(self) -> int:
        """How many rows it holds at most."""
        return max(1, (MAX_BYTES - HEADER_BYTES) // self._row.itemsize)

    def create(self) -> None:
        """Write the file, without a row.

        Raises:
            StorageError: it cannot be written.
        """
        facts = {"width": self._width, "vector_fingerprint": self._fingerprint}
        text = MAGIC + json.dumps(facts).encode() + b"\n"
        write_bytes(self.path, text.ljust(HEADER_BYTES, b"\0"))

    def append(
        self, rows: int, ids: Int64[np.ndarray, "row"], vectors: Float32[np.ndarray, "row dim"]
    ) -> None:
        """Write rows behind the first `rows`, which are those that count, and force them to the disk.

        Raises:
            StorageError: the disk is full, or the file is damaged.
            FingerprintError: the file belongs to another model.
        """
        self._check_header()
        filled = np.empty(len(ids), self._row)
        filled["id"], filled["vector"] = ids, vectors
        end = HEADER_BYTES + rows * self._row.itemsize
        try:
            with self.path.open("r+b") as file:
                self._check_length(os.fstat(file.fileno()).st_size, rows)
                file.truncate(end)
                file.seek(end)
                file.write(filled.tobytes())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            hint = "Free some space." if error.errno in NO_ROOM else "Check that it may be written to."
            raise StorageError(f"{self.path}: could not be written: {error.strerror}.", hint=hint) from error

    def wipe(self, places: Int64[np.ndarray, "row"]) -> None:
        """Overwrite rows with zeros and force that to the disk; rows beyond the end are no fault.

        Raises:
            StorageError: the file cannot be written.
        """
        zeros = bytes(self._row.itemsize)
        try:
            with self.path.open("r+b") as file:
                size = os.fstat(file.fileno()).st_size
                for place in places.tolist():
                    start = HEADER_BYTES + place * self._row.itemsize
                    if start + self._row.itemsize <= size:
                        file.seek(start)
                        file.write(zeros)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StorageError(
                f"{self.path}: what was removed could not be overwritten: {error.strerror}.",
                hint="Check that it may be written to; it is tried again.",
            ) from error

    def map(self, rows: int) -> np.ndarray:
        """Return the rows of the file, at least `rows`, mapped into memory and not read: fields `id` and `vector`.

        Raises:
            StorageError: the file is missing or damaged.
            FingerprintError: the file belongs to another model.
        """
        self._check_header()
        size = self.path.stat().st_size
        self._check_length(size, rows)
        count = (size - HEADER_BYTES) // self._row.itemsize
        if count == 0:
            return np.zeros(0, self._row)
        mapped = np.memmap(self.path, self._row, mode="r", offset=HEADER_BYTES, shape=(count,))
        return np.asarray(mapped)

    def _check_header(self) -> None:
        try:
            with self.path.open("rb") as file:
                header = file.read(HEADER_BYTES)
        except OSError as error:
            raise StorageError(
                f"{self.path}: vectors cannot be read: {error.strerror}.",
                hint="Restore the file, or build the model anew with: tagtower models HOME build NAME --again",
            ) from None
        try:
            if len(header) != HEADER_BYTES or not header.startswith(MAGIC):
                raise ValueError
            facts = json.loads(header[len(MAGIC) :].split(b"\n", 1)[0])
            width, fingerprint = facts["width"], facts["vector_fingerprint"]
        except (ValueError, KeyError, TypeError):
            raise self._damaged("its beginning is not what was written") from None
        if (width, fingerprint) != (self._width, self._fingerprint):
            raise FingerprintError(
                f"{self.path}: holds vectors of another model.",
                hint="The folder of vectors was mixed up: restore it.",
            )

    def _check_length(self, size: int, rows: int) -> None:
        if size < HEADER_BYTES + rows * self._row.itemsize:
            raise self._damaged(f"it is shorter than the {rows:,} vectors that the database knows")

    def _damaged(self, how: str) -> StorageError:
        return StorageError(
            f"{self.path}: the file of vectors is damaged: {how}.",
            hint="Restore the file, or build the model anew with: tagtower models HOME build NAME --again",
        )
