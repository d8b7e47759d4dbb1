"""Files that come in piece by piece: begun, appended to, gone on with after a break, and taken in once whole.

How much has come is the size of the file under `uploads`; the database says whose it is. What nobody goes on with
is removed.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from stat import S_ISREG
from typing import Any, BinaryIO, final

from tagtower.errors import ConflictError, InputError, NotFoundError
from tagtower.library.uploads import (
    begin_upload,
    find_upload,
    finish_upload,
    forget_upload,
    idle_uploads,
    known_uploads,
    touch_upload,
)
from tagtower.media.isolation import Decoder
from tagtower.usecases.installation.arrivals import Arrival, take_file
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.scratch import UPLOADS, storage_failures, upload_path

ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on its way in: `offset` bytes of it are here. `result` is what became of it, once it is complete."""

    id: str
    length: int | None
    offset: int
    result: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return {"id": self.id, "length": self.length, "offset": self.offset, "result": self.result}


def begin(installation: Installation, principal: str, length: int | None = None) -> Upload:
    """Begin an upload.

    Args:
        length: of the whole file in bytes, where it is known.
    """
    upload_id = secrets.token_hex(16)
    with storage_failures(), upload_path(installation, upload_id).open("xb"):
        pass
    with installation.database.write() as connection:
        begin_upload(connection, upload_id, principal, length, installation.clock())
    return Upload(upload_id, length, 0)


def find(installation: Installation, principal: str, upload_id: str) -> Upload:
    """Return an upload, and how much of it is here.

    Raises:
        NotFoundError: there is none, or it is somebody else's.
    """
    missing = NotFoundError(
        "There is no such upload.", hint="It may have been idle for too long: begin anew."
    )
    if not ID.fullmatch(upload_id):
        raise missing
    with installation.database.read() as connection:
        found = find_upload(connection, upload_id)
    if found is None or found.principal != principal:
        raise missing
    path = upload_path(installation, upload_id)
    if found.result is not None:
        return Upload(upload_id, found.length, found.length or 0, found.result)
    if not path.exists():
        raise missing
    return Upload(upload_id, found.length, path.stat().st_size)


@final
class Appending:
    """The end of an upload's file, that what comes is written to."""

    def __init__(self, file: BinaryIO, upload: Upload, most: int) -> None:
        self._file = file
        self._most = most if upload.length is None else min(most, upload.length)
        self.offset = upload.offset

    def write(self, data: bytes) -> None:
        """Append some bytes.

        Raises:
            InputError: it is more than was announced, or than a file may have.
            StorageError: the disk is full.
        """
        if self.offset + len(data) > self._most:
            raise InputError(
                f"The file is longer than the {self._most:,} bytes that it may have.",
                hint="Announce its length as it is.",
            )
        with storage_failures():
            self._file.write(data)
        self.offset += len(data)


@contextmanager
def appending(installation: Installation, upload: Upload, offset: int, *, most: int) -> Iterator[Appending]:
    """Give the end of an upload to write to; whatever ends the block, what was written is kept and counted.

    Raises:
        ConflictError: it is complete, or `offset` is not where it ends.
    """
    if upload.result is not None:
        raise ConflictError("The upload is complete.", hint="There is nothing to add.")
    if offset != upload.offset:
        raise ConflictError(
            f"The upload has {upload.offset:,} bytes, and this begins at {offset:,}.",
            hint="Ask for its offset with HEAD, and go on from there.",
        )
    with storage_failures():
        file = upload_path(installation, upload.id).open("ab", buffering=0)
    with file:
        try:
            yield Appending(file, upload, most)
        finally:
            with storage_failures():
                os.fsync(file.fileno())
    with installation.database.write() as connection:
        touch_upload(connection, upload.id, installation.clock())


def complete(
    installation: Installation,
    principal: str,
    upload_id: str,
    arrival: Arrival,
    decoder: Decoder | None = None,
) -> tuple[dict[str, Any], int]:
    """Take a whole upload into the video library and return what became of it, with the number of the video.

    Asked again, it answers the same.

    Raises:
        NotFoundError, ConflictError: there is none; it is not whole.
        MediaError, InputError: it is no media, or what is said of it cannot be; it stays, to be tried again.
    """
    upload = find(installation, principal, upload_id)
    if upload.result is not None:
        return upload.result, int(upload.result["id"])
    if upload.length is not None and upload.offset != upload.length:
        raise ConflictError(
            f"{upload.offset:,} of {upload.length:,} bytes have come.",
            hint="Send the rest, then complete it.",
        )
    path = upload_path(installation, upload_id)
    put = take_file(installation, path, arrival, author=principal, decoder=decoder)
    result = put.to_json()
    with installation.database.write() as connection:
        finish_upload(connection, upload_id, put.video_id, result, installation.clock())
    path.unlink(missing_ok=True)
    return result, put.video_id


def abandon(installation: Installation, principal: str, upload_id: str) -> None:
    """Throw an upload away; a video that was made of it stays.

    Raises:
        NotFoundError: there is none.
    """
    upload = find(installation, principal, upload_id)
    _remove(installation, upload.id)


def remove_idle(installation: Installation, hours: float) -> int:
    """Remove uploads that nothing was added to for so long, and files that belong to none; return how many."""
    before = installation.clock() - timedelta(hours=hours)
    with installation.database.read() as connection:
        idle = idle_uploads(connection, before)
        known = known_uploads(connection)
    for upload_id in idle:
        _remove(installation, upload_id)
    removed = len(idle)
    folder = installation.home / UPLOADS
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name[:32] in known:
            continue
        try:
            status = path.stat()
        except FileNotFoundError:  # another request was done with it just now
            continue
        if S_ISREG(status.st_mode) and status.st_mtime < before.timestamp():
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _remove(installation: Installation, upload_id: str) -> None:
    with installation.database.write() as connection:
        forget_upload(connection, upload_id)
    upload_path(installation, upload_id).unlink(missing_ok=True)
