"""Opens a media file and reads its header: which streams count, what they are, and whether they are within the caps."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Discard, Disposition, Stream
from av.video.stream import VideoStream

from tagtower.config.sections import MediaSettings
from tagtower.errors import MediaError
from tagtower.media.caps import check_declared_pixels, check_duration, check_pixels, check_streams
from tagtower.media.failures import DecodingError, pyav_calls
from tagtower.media.packets import UNSEEKABLE_FORMATS, PacketReader
from tagtower.media.records import MediaInfo
from tagtower.media.scaling import shown_size

_NOT_SHOWN = Disposition.attached_pic | Disposition.timed_thumbnails


@dataclass(slots=True)
class OpenMedia:
    """An open file: the streams that count, its info, and the moment that seconds are counted from."""

    container: InputContainer
    pictures: VideoStream | None
    sound: AudioStream | None
    info: MediaInfo
    origin: float
    _untouched: bool = True

    @property
    def can_be_read_again(self) -> bool:
        """Whether a stream can still be read from its start."""
        return self._untouched or self.container.format.name not in UNSEEKABLE_FORMATS

    def packets(self, wanted: Stream) -> PacketReader:
        """A reader of one stream, to be used up before the next; others are passed over without being read."""
        for stream in self.container.streams:
            stream.discard = Discard.default if stream.index == wanted.index else Discard.all
        at_start, self._untouched = self._untouched, False
        return PacketReader(self.container, wanted, at_start=at_start)

    def duration_of(self, stream: Stream) -> float | None:
        """Length of one stream in seconds, as the header tells it."""
        if stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base)
        return _tagged_seconds(stream.metadata) or self.info.duration


@contextmanager
def open_media(path: Path | str, limits: MediaSettings) -> Iterator[OpenMedia]:
    """Open a file, check its header against the caps, and close it in the end.

    Raises:
        MediaError: the file is missing, no file, empty, no media, without streams, or over a cap.
    """
    path = str(path)
    _check_file(path)
    # The file itself is handed over instead of its name, and no protocol is allowed: a playlist that names other
    # files or addresses opens none of them.
    with Path(path).open("rb") as file:
        options = {"protocol_whitelist": "none", "max_pixels": str(limits.max_pixels)}
        try:
            with pyav_calls():
                container = av.open(
                    file, "r", options=options, metadata_errors="replace", buffer_size=1 << 18
                )
        except DecodingError as error:
            raise MediaError(path, "not-media", f"cannot be opened as media: {error}") from error
        with container:
            yield _describe(path, container, limits)


def _check_file(path: str) -> None:
    try:
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode):
            raise MediaError(path, "unreadable", "is no regular file")
        with Path(path).open("rb") as file:
            if not file.read(1):
                raise MediaError(path, "empty", "is empty")
    except (FileNotFoundError, NotADirectoryError):
        raise MediaError(path, "missing", "does not exist") from None
    except (OSError, ValueError) as error:
        detail = getattr(error, "strerror", None) or str(error)
        raise MediaError(path, "unreadable", f"cannot be read: {detail}") from error


def _describe(path: str, container: InputContainer, limits: MediaSettings) -> OpenMedia:
    streams = list(container.streams)
    check_streams(path, len(streams), limits)
    pictures = _first([s for s in streams if isinstance(s, VideoStream) and _is_shown(s)])
    sound = _first([s for s in streams if isinstance(s, AudioStream) and _has_decoder(s)])
    if any(_is_unsized(stream) for stream in streams):
        check_declared_pixels(path, limits)
    if pictures is None and sound is None:
        raise MediaError(path, "no-streams", _why_no_streams(streams))
    for stream in (pictures, sound):
        if stream is not None:
            stream.codec_context.thread_count = 1
    width, height = (
        (0, 0) if pictures is None else (pictures.codec_context.width, pictures.codec_context.height)
    )
    check_pixels(path, width, height, limits)
    if pictures is not None:
        pictures.codec_context.options = {"max_pixels": str(limits.max_pixels)}
        width, height = shown_size(width, height, pictures.sample_aspect_ratio)
    duration = None if not container.duration else container.duration / av.time_base
    check_duration(path, duration, limits)
    rate = None if pictures is None else pictures.guessed_rate or pictures.average_rate
    info = MediaInfo(
        path=path,
        duration=duration,
        width=width,
        height=height,
        rotation=0,
        frame_rate=float(rate) if rate else None,
        video_codec=pictures.codec_context.name if pictures is not None else None,
        audio_codec=sound.codec_context.name if sound is not None else None,
        audio_rate=sound.codec_context.sample_rate if sound is not None else None,
        title=_title(container, streams),
        has_pictures=pictures is not None,
        has_sound=sound is not None,
    )
    origin = (container.start_time or 0) / av.time_base
    return OpenMedia(container, pictures, sound, info, origin)


def _is_shown(stream: VideoStream) -> bool:
    if not _has_decoder(stream) or stream.disposition & _NOT_SHOWN:
        return False
    return stream.codec_context.width > 0 and stream.codec_context.height > 0


def _is_unsized(stream: Any) -> bool:
    return isinstance(stream, VideoStream) and _has_decoder(stream) and not stream.codec_context.width


def _has_decoder(stream: Any) -> bool:
    return stream.codec_context is not None


def _first(streams: list[Any]) -> Any:
    """The stream that a player would take: the one marked as default, else the first."""
    return next((s for s in streams if s.disposition & Disposition.default), streams[0] if streams else None)


def _why_no_streams(streams: list[Any]) -> str:
    if any(s.type in ("video", "audio") and not _has_decoder(s) for s in streams):
        return "holds pictures or sound in a coding that has no decoder here"
    return "holds neither pictures nor sound"


def _title(container: InputContainer, streams: list[Any]) -> str | None:
    # Ogg keeps a file's title with its stream; elsewhere a stream's title is only the name of a track.
    of_streams = [stream.metadata for stream in streams] if container.format.name == "ogg" else []
    for metadata in (container.metadata, *of_streams):
        for key, value in metadata.items():
            if key.lower() == "title" and value.strip():
                return str(value.strip())
    return None


def _tagged_seconds(metadata: dict[str, str]) -> float | None:
    """Matroska's per-stream duration, written as hours:minutes:seconds."""
    try:
        hours, minutes, seconds = metadata.get("DURATION", "").split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return None
