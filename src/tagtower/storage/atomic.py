"""Files and folders that are there whole or not at all, whatever kills the process in between.

Everything is written under a temporary name beside the target, forced to the disk, and renamed.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tagtower.errors import StorageError

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
LONGEST_NAME = 255
"""Bytes of one name on the file systems in use; a temporary name is cut to it."""

DISK_FAULTS = frozenset({errno.EROFS, errno.EIO})


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a path to write a file to; it becomes `path` when the block ends well, and is removed otherwise.

    The temporary path has the suffix of `path` and lies in its folder, which is made where it is missing.

    Raises:
        StorageError: the disk is full or read-only, the place may not be written to, or `path` is no file.
    """
    target = Path(path).resolve()
    if target.exists() and not target.is_file():
        raise _wrong_kind(target, "a file")
    with _storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    partial = _sibling(target, "partial")
    try:
        with _storage_errors(target, partial):
            yield partial
        with _storage_errors(target):
            _sync(partial)
            partial.replace(target)
            _sync(target.parent)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Give an empty folder to fill; it becomes `path` when the block ends well, and is removed otherwise.

    A folder that stands at `path` is replaced as a whole. Killed between the two renames that this takes, the
    old folder is left beside `path` under a hidden name that ends in `.old`.

    Raises:
        StorageError: the disk is full or read-only, the place may not be written to, or `path` is no folder.
    """
    target = Path(path).resolve()
    if target.exists() and not target.is_dir():
        raise _wrong_kind(target, "a folder")
    partial = _sibling(target, "partial")
    with _storage_errors(target):
        partial.mkdir(parents=True)
    try:
        with _storage_errors(target, partial):
            yield partial
        with _storage_errors(target):
            for folder, _, files in os.walk(partial):
                for name in files:
                    _sync(Path(folder, name))
                _sync(Path(folder))
            _replace_folder(partial, target)
            _sync(target.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        StorageError: as for `atomic_path`.
    """
    with atomic_path(path) as partial:
        partial.write_bytes(data)


def write_text(path: str | Path, text: str) -> None:
    """Write a text as UTF-8, its line ends as they are, whole or not at all.

    Raises:
        StorageError: as for `atomic_path`.
    """
    write_bytes(path, text.encode())


def write_json(path: str | Path, obj: object) -> None:
    """Write a value as indented JSON, whole or not at all.

    Raises:
        StorageError: as for `atomic_path`.
        TypeError: the value holds something that JSON cannot.
        ValueError: the value holds NaN or an infinity, which JSON does not know.
    """
    text = json.dumps(obj, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    # A lone surrogate has no UTF-8; as a backslash escape it is what JSON itself would write.
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def _sibling(target: Path, role: str) -> Path:
    # Libraries choose a format by the suffix, so the temporary name keeps it.
    ending = f".{secrets.token_hex(4)}.{role}{target.suffix}"
    room = LONGEST_NAME - len(os.fsencode(ending)) - 1
    stem = os.fsencode(target.stem)[: max(0, room)].decode("utf-8", "ignore")
    return target.with_name(f".{stem}{ending}")


def _replace_folder(new: Path, target: Path) -> None:
    if not target.exists():
        new.rename(target)
        return
    old = target.with_name(f".{target.name}.{secrets.token_hex(4)}.old")
    target.rename(old)
    try:
        new.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _storage_errors(target: Path, place: Path | None = None) -> Iterator[None]:
    """Turn failures of the disk, and every failure under `place` (None: anywhere), into `StorageError`."""
    try:
        yield
    except OSError as error:
        here = place is None or Path(str(error.filename)).is_relative_to(place)
        if error.errno in NO_ROOM:
            raise StorageError(
                f"{target}: could not be written: {error.strerror}; what stood there before is untouched.",
                hint="Free some space, or write to another disk.",
            ) from error
        if here or error.errno in DISK_FAULTS:
            raise StorageError(
                f"{target}: could not be written: {error.strerror}.",
                hint="Check that its folder exists and may be written to, or choose another place.",
            ) from error
        raise


def _wrong_kind(target: Path, wanted: str) -> StorageError:
    return StorageError(f"{target}: exists and is not {wanted}.", hint="Choose another place.")
