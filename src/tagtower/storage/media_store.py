"""The media of an installation: files by their content hash, in a folder or an object store.

A key is made of the hash alone, so no name that a user gave is ever part of a path, and the same file is stored once.
"""

from __future__ import annotations

import hashlib
import io
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, final, runtime_checkable

from tagtower.errors import ConfigError, MediaError, MissingExtraError, StorageError
from tagtower.storage.atomic import atomic_path

BLOCK = 1 << 20
KEY = re.compile(r"[0-9a-f]{2}/[0-9a-f]{64}(\.[a-z0-9]{1,8})?")
SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")


@dataclass(frozen=True, slots=True)
class StoredMedia:
    """A stored file: its key, its SHA-256 in hex, and its size."""

    key: str
    content_hash: str
    bytes: int


@runtime_checkable
class MediaStore(Protocol):
    """Keeps media under keys that it makes itself."""

    def put(self, source: Path, suffix: str = "") -> StoredMedia:
        """Store a copy of a file; `suffix`, such as `.mp4`, is a hint for players and may be empty.

        Raises:
            MediaError: the file changed while it was copied.
            StorageError: the disk is full, or the store is gone.
            OSError: the file cannot be read.
        """
        ...

    def uri(self, key: str) -> str:
        """Return where the media lies, as a path or an address."""
        ...

    @contextmanager
    def local(self, key: str) -> Iterator[Path]:
        """Give a local path to the media, for as long as the context is open."""
        ...

    def open(self, key: str) -> BinaryIO:
        """Open the media for reading, seekable."""
        ...

    def exists(self, key: str) -> bool:
        """Return whether the media is there."""
        ...

    def remove(self, key: str) -> bool:
        """Remove the media; return whether it was there."""
        ...

    def keys(self) -> Iterator[str]:
        """Every key."""
        ...

    def with_hash(self, content_hash: str) -> list[str]:
        """Return the keys of media with this hash: none, one, or one for each suffix they were stored with."""
        ...


def media_store(url: str | Path) -> MediaStore:
    """Return the store at a folder or an `s3://bucket/prefix`.

    Raises:
        ConfigError: the URL is of another kind.
        MissingExtraError: an object store, and its library is not installed.
    """
    if isinstance(url, Path):
        return FolderStore(url)
    if url.startswith("file://"):
        return FolderStore(Path(url.removeprefix("file://")))
    if "://" not in url:
        return FolderStore(Path(url))
    if url.startswith("s3://"):
        return ObjectStore(url)
    raise ConfigError(
        f"There is no media store for {url.split('://')[0]}://.", hint="Give a folder or s3://bucket/prefix."
    )


def media_key(content_hash: str, suffix: str = "") -> str:
    """Return where media with this hash lie; a suffix that is no plain one is dropped."""
    suffix = suffix.lower()
    return f"{content_hash[:2]}/{content_hash}{suffix if SUFFIX.fullmatch(suffix) else ''}"


@final
class FolderStore:
    """Media in a folder of this machine, or one that several machines mount."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    @property
    def folder(self) -> Path:
        """Where they lie."""
        return self._folder

    def put(self, source: Path, suffix: str = "") -> StoredMedia:
        """Store a copy, whole or not at all."""
        digest, size = hash_media(source)
        key = media_key(digest, suffix)
        target = self._path(key)
        if not (target.exists() and target.stat().st_size == size):
            with atomic_path(target) as partial:
                _copy(source, partial, digest)
        return StoredMedia(key, digest, size)

    def uri(self, key: str) -> str:
        """Return the path."""
        return str(self._path(key))

    @contextmanager
    def local(self, key: str) -> Iterator[Path]:
        """Give the file itself."""
        yield self._path(key)

    def open(self, key: str) -> BinaryIO:
        """Open the file."""
        return self._path(key).open("rb")

    def exists(self, key: str) -> bool:
        """Return whether the file is there."""
        return self._path(key).is_file()

    def remove(self, key: str) -> bool:
        """Remove the file."""
        path = self._path(key)
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        return True

    def keys(self) -> Iterator[str]:
        """Every key, in no order."""
        for path in self._folder.glob("??/*"):
            key = f"{path.parent.name}/{path.name}"
            if KEY.fullmatch(key):
                yield key

    def with_hash(self, content_hash: str) -> list[str]:
        """Return the keys of media with this hash."""
        folder = self._path(media_key(content_hash)).parent
        found = (f"{folder.name}/{path.name}" for path in folder.glob(f"{content_hash}*"))
        return sorted(key for key in found if KEY.fullmatch(key))

    def _path(self, key: str) -> Path:
        return self._folder / checked(key)


@final
class ObjectStore:
    """Media in an S3-compatible object store; credentials and endpoint come from the usual AWS_* variables."""

    def __init__(self, url: str, **options: Any) -> None:
        try:
            from obstore.store import from_url
        except ImportError:
            raise MissingExtraError("An object store", "s3") from None
        self._url = url.rstrip("/")
        self._store = from_url(url, **options)

    def put(self, source: Path, suffix: str = "") -> StoredMedia:
        """Upload the file; an object appears whole or not at all."""
        digest, size = hash_media(source)
        key = media_key(digest, suffix)
        if not self.exists(key):
            with _object_failures(), source.open("rb") as file:
                self._store.put(key, file)
        return StoredMedia(key, digest, size)

    def uri(self, key: str) -> str:
        """Return the address."""
        return f"{self._url}/{checked(key)}"

    @contextmanager
    def local(self, key: str) -> Iterator[Path]:
        """Download into a temporary file that is removed with the context."""
        with tempfile.NamedTemporaryFile(suffix=Path(checked(key)).suffix) as file:
            with _object_failures():
                for block in self._store.get(key).stream(min_chunk_size=BLOCK):
                    file.write(memoryview(block))
            file.flush()
            yield Path(file.name)

    def open(self, key: str) -> BinaryIO:
        """Open the object for reading in ranges."""
        import obstore

        with _object_failures():
            return io.BufferedReader(_ObjectReader(obstore.open_reader(self._store, checked(key))), BLOCK)

    def exists(self, key: str) -> bool:
        """Return whether the object is there."""
        try:
            self._store.head(checked(key))
        except FileNotFoundError:
            return False
        except Exception as fault:
            raise _object_failure(fault) from fault
        return True

    def remove(self, key: str) -> bool:
        """Remove the object."""
        there = self.exists(key)
        if there:
            with _object_failures():
                self._store.delete(key)
        return there

    def keys(self) -> Iterator[str]:
        """Every key, in no order."""
        for page in self._store.list():
            for entry in page:
                if KEY.fullmatch(str(entry["path"])):
                    yield str(entry["path"])

    def with_hash(self, content_hash: str) -> list[str]:
        """Return the keys of media with this hash."""
        key = media_key(content_hash)
        with _object_failures():  # a prefix is whole names, so that all of the folder is listed
            listed = [str(entry["path"]) for page in self._store.list(key[:2]) for entry in page]
        return sorted(one for one in listed if one.startswith(key) and KEY.fullmatch(one))


@final
class _ObjectReader(io.RawIOBase):
    """An object as Python reads files."""

    mode = "rb"

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with _object_failures():
            return int(self._reader.seek(offset, whence))

    def tell(self) -> int:
        return int(self._reader.tell())

    def readinto(self, buffer: Any) -> int:
        with _object_failures():
            found = bytes(self._reader.read(len(buffer)))
        buffer[: len(found)] = found
        return len(found)


def checked(key: str) -> str:
    """Return a key that a store made, and nothing else.

    Raises:
        StorageError: it has another form.
    """
    if not KEY.fullmatch(key):
        raise StorageError(f"{key!r} is no key of the media store.", hint="The database may be damaged.")
    return key


def hash_media(path: Path) -> tuple[str, int]:
    """Return the SHA-256 of a file in hex, and its size."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return digest, file.tell()


def _copy(source: Path, target: Path, digest: str) -> None:
    """Copy a file whose hash was taken before, and make sure that the copy still has it."""
    found = hashlib.sha256()
    with source.open("rb") as reader, target.open("wb") as writer:
        while block := reader.read(BLOCK):
            found.update(block)
            writer.write(block)
    if found.hexdigest() != digest:
        hint = "Try again when nobody writes it."
        raise MediaError(str(source), "unreadable", "changed while it was copied", hint=hint)


@contextmanager
def _object_failures() -> Iterator[None]:
    try:
        yield
    except Exception as fault:
        raise _object_failure(fault) from fault


def _object_failure(fault: Exception) -> StorageError:
    reason = str(fault).splitlines()[0][:300] if str(fault) else type(fault).__name__
    return StorageError(f"The object store failed: {reason}.", hint="Check its address and credentials.")
