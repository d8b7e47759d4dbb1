"""Decodes one media file in this process: info, frames and sound in one opening, with what fails told apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tagtower.config.sections import MediaSettings
from tagtower.errors import MediaError
from tagtower.media.failures import DecodingError
from tagtower.media.frames import sample_frames
from tagtower.media.opening import OpenMedia, open_media
from tagtower.media.records import DecodedMedia, DecodeRequest, FrameSample, MediaInfo, Sound, SoundRequest
from tagtower.media.sound import read_sound


def probe(path: Path | str, limits: MediaSettings) -> MediaInfo:
    """What the header of a file says; nothing is decoded, so `rotation` stays 0.

    Raises:
        MediaError: the file is no usable media, or over a cap.
    """
    return decode(path, DecodeRequest(), limits).info


def decode(path: Path | str, request: DecodeRequest, limits: MediaSettings) -> DecodedMedia:
    """Frames and sound of a file, as far as they are asked for and there.

    Damaged pictures leave the sound usable, and the other way round: what failed is a warning.

    Raises:
        MediaError: the file is no usable media, is over a cap, or gives nothing of what was asked for.
    """
    path = str(path)
    try:
        with open_media(path, limits) as media:
            return _decode(media, request, limits)
    except MemoryError as error:
        hint = "Raise `media.memory_mb` if the file is to be trusted."
        raise MediaError(path, "memory", "needs more memory than is allowed", hint=hint) from error


def _decode(media: OpenMedia, request: DecodeRequest, limits: MediaSettings) -> DecodedMedia:
    info = media.info
    frames: tuple[FrameSample, ...] = ()
    sound: Sound | None = None
    warnings: list[str] = []
    if request.frames is not None and media.pictures is not None:
        try:
            pictures = sample_frames(media, request.frames, limits)
        except DecodingError as error:
            warnings.append(f"the pictures cannot be decoded: {error}")
        else:
            frames = pictures.samples
            warnings.extend(pictures.warnings)
            info = replace(info, duration=info.duration or pictures.duration, rotation=pictures.rotation)
            if pictures.rotation % 180:
                info = replace(info, width=info.height, height=info.width)
    if request.sound is not None and media.sound is not None:
        try:
            sound, more = _read_sound(media, request.sound, limits)
        except DecodingError as error:
            warnings.append(f"the sound cannot be decoded: {error}")
        else:
            warnings.extend(more)
    asked = request.frames is not None or request.sound is not None
    if asked and not frames and sound is None:
        _refuse(info, warnings)
    return DecodedMedia(info, frames, sound, tuple(warnings))


def _read_sound(
    media: OpenMedia, request: SoundRequest, limits: MediaSettings
) -> tuple[Sound, tuple[str, ...]]:
    if media.can_be_read_again:
        return read_sound(media, request)
    with open_media(media.info.path, limits) as again:
        return read_sound(again, request)


def _refuse(info: MediaInfo, warnings: list[str]) -> None:
    if warnings:
        raise MediaError(info.path, "damaged", "; ".join(warnings))
    present, missing = ("sound", "pictures") if info.has_sound else ("pictures", "sound")
    raise MediaError(info.path, "no-streams", f"holds {present} but no {missing}, which are asked for")
