"""Files that are on their way in, or needed for a moment: where they lie, and how a disk that refuses is told."""

from __future__ import annotations

import errno
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tagtower.errors import NotFoundError, StorageError
from tagtower.storage.atomic import NO_ROOM
from tagtower.usecases.installation.home import Installation

UPLOADS = "uploads"


@contextmanager
def scratch_file(installation: Installation) -> Iterator[Path]:
    """Give a path for a file that comes in at one go; it is removed with the context."""
    path = upload_path(installation, secrets.token_hex(16))
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def scratch_folder(installation: Installation) -> Iterator[Path]:
    """Give an empty folder for files that are needed for a moment; it is removed with the context."""
    folder = upload_path(installation, secrets.token_hex(16)).with_suffix(".folder")
    with storage_failures():
        folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def upload_path(installation: Installation, upload_id: str) -> Path:
    """Return where the file of an upload lies, in a folder that is there."""
    folder = installation.home / UPLOADS
    with storage_failures():
        folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{upload_id}.part"


@contextmanager
def storage_failures() -> Iterator[None]:
    """Let what the disk refuses be told as what it means.

    Raises:
        StorageError: the disk is full, or the file cannot be kept.
        NotFoundError: the file is not there any more.
    """
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise StorageError("The disk is full.", hint="Free some space; what has come is kept.") from error
        if error.errno == errno.ENOENT:
            raise NotFoundError("There is no such upload.", hint="Begin anew.") from error
        raise StorageError(f"The file cannot be kept: {error.strerror}.") from error
