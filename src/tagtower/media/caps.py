"""The caps on what a file may claim in its header; one over a cap is refused before anything is decoded."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import av

from tagtower.config.sections import MediaSettings
from tagtower.errors import MediaError
from tagtower.media.failures import DecodingError, pyav_calls


def check_streams(path: str, count: int, limits: MediaSettings) -> None:
    """Refuse a file with too many streams.

    Raises:
        MediaError: `count` is over `limits.max_streams`.
    """
    if count > limits.max_streams:
        raise _too_large(path, f"has {count} streams, over the cap of {limits.max_streams}", "max_streams")


def check_duration(path: str, duration: float | None, limits: MediaSettings) -> None:
    """Refuse a file that is too long.

    Raises:
        MediaError: `duration` (seconds) is over `limits.max_seconds`.
    """
    if duration is not None and duration > limits.max_seconds:
        reason = f"lasts {duration:.0f} s, over the cap of {limits.max_seconds:.0f} s"
        raise _too_large(path, reason, "max_seconds")


def check_pixels(path: str, width: int, height: int, limits: MediaSettings) -> None:
    """Refuse a file with too large frames.

    Raises:
        MediaError: `width` times `height` is over `limits.max_pixels`.
    """
    if width * height > limits.max_pixels:
        reason = f"has frames of {width} x {height} pixels, over the cap of {limits.max_pixels} pixels"
        raise _too_large(path, reason, "max_pixels")


def check_declared_pixels(path: str, limits: MediaSettings) -> None:
    """`check_pixels` with every decoder forbidden, because one that meets a size over the cap wipes it out.

    Raises:
        MediaError: the header declares frames over the cap.
    """
    options = {"protocol_whitelist": "none", "codec_whitelist": "none"}
    with (
        Path(path).open("rb") as file,
        suppress(DecodingError),
        pyav_calls(),
        av.open(file, "r", options=options, metadata_errors="replace") as container,
    ):
        for stream in container.streams.video:
            if stream.codec_context is not None:
                check_pixels(path, stream.codec_context.width, stream.codec_context.height, limits)


def _too_large(path: str, reason: str, setting: str) -> MediaError:
    return MediaError(
        path, "too-large", reason, hint=f"Raise `media.{setting}` if the file is to be trusted."
    )
