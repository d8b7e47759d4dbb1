"""Where the media of videos lie that are handed in: files of this machine, and addresses that are fetched."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tagtower.errors import MediaError, UsageError
from tagtower.storage.media_store import hash_media
from tagtower.training.manifest.location import is_local, is_web
from tagtower.usecases.installation.fetching import fetched_file, name_in
from tagtower.usecases.installation.home import Installation


@contextmanager
def media_file(installation: Installation, media: str, *, reference: bool) -> Iterator[Path]:
    """Give the path of a file of this machine, or of a copy of what is fetched, removed with the context.

    Args:
        reference: the media are to be left where they lie.
    Raises:
        MediaError: it is no file, or the block found it to be no media; of what was fetched the address is named.
        UsageError: an address cannot be referred to.
        FetchError: it may not be fetched, or cannot.
    """
    if not is_web(media):
        yield _local_file(media)
        return
    if reference:
        raise UsageError(
            f"{media} cannot be left where it lies: it could be another tomorrow.",
            hint="Have it copied: leave out --reference.",
        )
    with fetched_file(installation, media) as fetched:
        path = fetched.with_suffix(Path(name_in(media)).suffix[:9] or fetched.suffix)
        fetched.rename(path)
        try:
            yield path
        except MediaError as error:
            raise MediaError(media, error.cause, error.reason, hint=error.hint) from None
        finally:
            path.rename(fetched)


def _local_file(media: str) -> Path:
    """Return the path of a file of this machine.

    Raises:
        MediaError: it is of another machine, or no file.
    """
    if not is_local(media):
        raise MediaError(
            media,
            "missing",
            "lies on another machine",
            hint="Fetch it first, or hand in a file of this machine.",
        )
    path = Path(media)
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise MediaError(media, "missing", "does not exist") from None
    except (OSError, ValueError) as error:
        raise MediaError(
            media, "unreadable", f"cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from None
    if not stat.S_ISREG(status.st_mode):
        raise MediaError(media, "unreadable", "is no regular file")
    if not status.st_size:
        raise MediaError(media, "empty", "is empty")
    return path


def hash_file(path: Path) -> tuple[str, int]:
    """Return the SHA-256 of a file in hex, and its size in bytes.

    Raises:
        MediaError: it cannot be read.
    """
    try:
        return hash_media(path)
    except OSError as error:
        raise MediaError(str(path), "unreadable", f"cannot be read: {error.strerror or error}") from error
