"""The media of stored videos as the towers' path to features asks for them, and what its failures mean for a video."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, final, runtime_checkable
from urllib.parse import unquote, urlsplit

from tagtower.errors import InputError, MediaError, StorageError
from tagtower.features.subtitles import names_subtitle_file
from tagtower.library.shelves import Failure
from tagtower.records import Video
from tagtower.storage.media_store import FolderStore, MediaStore

STORED = "store:"
"""Begins the name of media that the installation keeps itself; no URI that is handed in has this scheme."""

LASTING = frozenset({"missing", "empty", "not-media", "no-streams", "damaged", "too-large"})
"""Causes that another attempt would find again. Time, memory and a crash may have been the machine's fault."""

REMOTE = frozenset({"missing", "unreadable"})
"""Causes that may pass where the media lie elsewhere: a share that is not mounted, for one."""


@runtime_checkable
class StoredVideo(Protocol):
    """A video as a row of the database, whole or in part."""

    @property
    def id(self) -> int:
        """Its number."""

    @property
    def media(self) -> str | None:
        """A key of the media store where `stored`, a URI otherwise."""

    @property
    def stored(self) -> bool:
        """Whether the installation keeps the media itself."""

    @property
    def title(self) -> str | None:
        """Its title."""

    @property
    def description(self) -> str | None:
        """Its description."""

    @property
    def subtitles(self) -> str | None:
        """The text of its subtitles."""


def as_video(row: StoredVideo) -> Video:
    """Return a stored video as the path to features takes it; its media are found through `InstallationMedia`."""
    media = f"{STORED}{row.media}" if row.media is not None and row.stored else row.media
    subtitles = row.subtitles
    if subtitles is not None and names_subtitle_file(subtitles):
        subtitles = None  # a text from outside is never read as the name of a file
    return Video(str(row.id), media, row.title, row.description, subtitles)


@final
class InstallationMedia:
    """Finds the media of stored videos: in the installation's own store, or where a URI says they lie."""

    def __init__(self, store: MediaStore) -> None:
        self._store = store

    def content_hash(self, media: str) -> str | None:
        """Return the hash that the key of stored media is made of."""
        if not media.startswith(STORED):
            return None
        return Path(media).name[:64]

    @contextmanager
    def local(self, media: str) -> Iterator[str]:
        """Give a path of this machine.

        Raises:
            MediaError: the media are gone, or lie where nothing is read from.
            StorageError: the store cannot be reached.
        """
        if not media.startswith(STORED):
            yield local_path(media)
            return
        key = media.removeprefix(STORED)
        if not self._store.exists(key):
            if isinstance(self._store, FolderStore) and not self._store.folder.is_dir():
                raise StorageError(
                    f"{self._store.folder}: the folder of media is gone.", hint="Is its disk mounted?"
                )
            raise MediaError(
                media,
                "missing",
                "is no longer in the media store",
                hint="Hand the file in again, or erase the video.",
            )
        with self._store.local(key) as path:
            yield str(path)


def local_path(uri: str) -> str:
    """Return the path that a URI names.

    Raises:
        MediaError: it does not name a file of this machine.
    """
    if "://" not in uri:
        return uri
    parts = urlsplit(uri)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return unquote(parts.path)
    raise MediaError(
        uri,
        "unreadable",
        f"lies at {parts.scheme}://, from where no media are read",
        hint="Hand the file itself in.",
    )


def failure_of(error: InputError, stored: bool) -> Failure:
    """Return what an error of a video's media or texts means for the video.

    Args:
        stored: whether the installation keeps the media itself.
    """
    if not isinstance(error, MediaError):
        return Failure(type(error).__name__, error.message, error.hint, lasting=True)
    lasting = error.cause in LASTING and (stored or error.cause not in REMOTE)
    hint = error.hint
    if lasting and hint is None:
        hint = "Hand in a copy that plays, or erase the video."
    return Failure(error.cause, f"The media file {error.reason}.", hint, lasting=lasting)
