"""The media of a stored video, to be played or shown: whole, in ranges, and as small pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tagtower.errors import MediaError, NotFoundError, StorageError
from tagtower.library.videos.records import VideoRecord, get_video, get_videos
from tagtower.media.isolation import Decoder
from tagtower.media.picture import encode_jpeg
from tagtower.media.records import DecodeRequest, FrameRequest
from tagtower.storage.atomic import atomic_path
from tagtower.usecases.installation.erase import PREVIEWS
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.media import InstallationMedia, as_video, local_path

BLOCK = 256 * 1024

TYPES = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".mov": "video/quicktime",
    ".avi": "video/x-msvideo",
    ".ts": "video/mp2t",
    ".mpg": "video/mpeg",
    ".mpeg": "video/mpeg",
    ".ogv": "video/ogg",
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".aac": "audio/aac",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
}
"""Content types by suffix. None can be run by a browser; whatever else a file claims to be, it is plain bytes."""

OTHER = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Playable:
    """Media that can be read: their size in bytes, a type that is safe to send, and what names their content."""

    size: int
    content_type: str
    mark: str
    file: BinaryIO

    def read(self, start: int, length: int) -> Iterator[bytes]:
        """Yield `length` bytes from `start` on, and close the file."""
        try:
            self.file.seek(start)
            while length > 0:
                block = bytes(self.file.read(min(BLOCK, length)))
                if not block:
                    return
                length -= len(block)
                yield block
        finally:
            self.close()

    def close(self) -> None:
        """Close the file."""
        with suppress(Exception):
            self.file.close()


def open_media(installation: Installation, video_id: int) -> Playable:
    """Open the media of a video.

    Raises:
        NotFoundError: there is no such video, it has no media, or these are gone.
        StorageError: the store cannot be reached.
    """
    video = _video(installation, video_id)
    if video.media is None:
        raise NotFoundError(f"Video {video_id} has no media, only words.")
    try:
        if video.stored:
            suffix = Path(video.media).suffix
            file = installation.media.open(video.media)
        else:
            path = Path(local_path(video.media))
            suffix = path.suffix.lower()
            file = path.open("rb")
        size = file.seek(0, 2)
    except (FileNotFoundError, MediaError) as error:
        raise NotFoundError(
            f"The media of video {video_id} are gone.", hint="Hand the file in again, or erase the video."
        ) from error
    except OSError as error:
        raise StorageError(f"The media of video {video_id} cannot be read: {error.strerror}.") from error
    mark = video.content_hash or f"{video.id}-{size}"
    return Playable(int(size), TYPES.get(suffix, OTHER), mark[:32], file)


@dataclass(frozen=True, slots=True)
class Preview:
    """A kind of picture of a video: so many square frames from all over it side by side, each of `side` pixels."""

    suffix: str
    frames: int
    side: int


THUMBNAIL, STRIP = Preview("", 1, 256), Preview("-strip", 8, 160)


def kept_preview(installation: Installation, video_id: int, kind: Preview) -> bytes | None:
    """Return a picture that was made before, as JPEG; None where it has to be made.

    Raises:
        NotFoundError: there is no such video, or it has no pictures.
    """
    with suppress(FileNotFoundError):
        return _place(installation, _pictured(installation, video_id), kind).read_bytes()
    return None


def make_preview(installation: Installation, video_id: int, kind: Preview, decoder: Decoder) -> bytes:
    """Make a picture, keep it, and return it as JPEG; one that was made meanwhile is taken.

    Raises:
        NotFoundError: there is no such video, or it has no pictures.
    """
    kept = kept_preview(installation, video_id, kind)
    if kept is not None:
        return kept
    video = _pictured(installation, video_id)
    request = DecodeRequest(
        FrameRequest(frames=kind.frames, max_parts=1, exactness="keyframe", resize=kind.side, crop=kind.side)
    )
    media = as_video(video).media
    assert media is not None
    try:
        with InstallationMedia(installation.media).local(media) as local:
            decoded = decoder.decode(local, request)
    except MediaError as error:
        raise NotFoundError(f"No picture of video {video_id} can be shown: it {error.reason}.") from error
    if not decoded.frames or not len(decoded.frames[0].frames):
        raise _no_picture(video_id)
    picture = encode_jpeg(np.concatenate(list(decoded.frames[0].frames), axis=1))
    # Under the lock of a writer, so that no picture appears after its video's erasure has looked for them.
    with installation.database.write() as connection:
        known = get_videos(connection, [video_id])
        if known and known[0].content_hash == video.content_hash:
            with atomic_path(_place(installation, video, kind)) as partial:
                partial.write_bytes(picture)
    return picture


def _pictured(installation: Installation, video_id: int) -> VideoRecord:
    """The record of a video that may have pictures."""
    video = _video(installation, video_id)
    if video.media is None or video.content_hash is None or (video.facts or {}).get("pictures") is False:
        raise _no_picture(video_id)
    return video


def _no_picture(video_id: int) -> NotFoundError:
    return NotFoundError(f"Video {video_id} has no pictures.")


def _place(installation: Installation, video: VideoRecord, kind: Preview) -> Path:
    content = video.content_hash or ""
    return installation.home / PREVIEWS / content[:2] / f"{content}{kind.suffix}.jpg"


def _video(installation: Installation, video_id: int) -> VideoRecord:
    with installation.database.read() as connection:
        return get_video(connection, video_id)
