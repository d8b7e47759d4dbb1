"""Messages between a decoding process and its parent: a JSON header, then the raw bytes of the arrays it lists.

Both sides check what they read; nothing that arrives is ever executed, so a decoder that a hostile file has taken
over can hand back wrong pictures at worst.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict
from io import BufferedIOBase
from typing import Any

import numpy as np

from tagtower.config.sections import MediaSettings
from tagtower.errors import MediaError
from tagtower.media.records import (
    DecodedMedia,
    DecodeRequest,
    FrameRequest,
    FrameSample,
    MediaInfo,
    Sound,
    SoundRequest,
)

_LENGTH = struct.Struct("<I")
_MAX_HEADER_BYTES = 16 << 20
_DTYPES = {"uint8": np.uint8, "float32": np.float32, "float64": np.float64}

Header = dict[str, Any]
Arrays = list[np.ndarray]


class BrokenMessageError(Exception):
    """The other side went away in the middle of a message, or sent something else."""


def write_message(stream: BufferedIOBase, header: Header, arrays: Arrays | None = None) -> None:
    """Send a header and its arrays."""
    arrays = arrays or []
    listed = [{"dtype": array.dtype.name, "shape": array.shape} for array in arrays]
    encoded = json.dumps({**header, "arrays": listed}).encode()
    stream.write(_LENGTH.pack(len(encoded)) + encoded)
    for array in arrays:
        stream.write(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    stream.flush()


def read_message(stream: BufferedIOBase, max_array_bytes: int) -> tuple[Header, Arrays] | None:
    """The next header and its arrays, or None where the stream ends.

    Raises:
        BrokenMessageError: the message is cut off, malformed, or holds more than `max_array_bytes`.
    """
    prefix = stream.read(_LENGTH.size)
    if not prefix:
        return None
    try:
        (length,) = _LENGTH.unpack(prefix)
        if length > _MAX_HEADER_BYTES:
            raise BrokenMessageError(f"a header of {length} bytes")
        header = json.loads(_read_exactly(stream, length))
        arrays = []
        for listed in header.pop("arrays"):
            dtype = np.dtype(_DTYPES[listed["dtype"]])
            shape = tuple(int(side) for side in listed["shape"])
            array_bytes = dtype.itemsize * int(np.prod(shape, dtype=object))
            max_array_bytes -= array_bytes
            if min(shape, default=0) < 0 or max_array_bytes < 0:
                raise BrokenMessageError(f"an array of shape {shape}")
            arrays.append(np.frombuffer(_read_exactly(stream, array_bytes), dtype).reshape(shape))
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BrokenMessageError(str(error)) from error
    return header, arrays


def _read_exactly(stream: BufferedIOBase, length: int) -> bytearray:
    data = bytearray(length)
    view, filled = memoryview(data), 0
    while filled < length:
        count = stream.readinto(view[filled:])
        if not count:
            raise BrokenMessageError("the stream ends within a message")
        filled += count
    return data


def pack_task(path: str, request: DecodeRequest, limits: MediaSettings) -> Header:
    """A task as a header."""
    return {"path": path, "request": asdict(request), "limits": limits.model_dump()}


def unpack_task(header: Header) -> tuple[str, DecodeRequest, MediaSettings]:
    """The task that `pack_task` packed."""
    frames, sound = header["request"]["frames"], header["request"]["sound"]
    request = DecodeRequest(
        frames=FrameRequest(**{**frames, "draws": tuple(frames["draws"])}) if frames else None,
        sound=SoundRequest(**sound) if sound else None,
    )
    return header["path"], request, MediaSettings(**header["limits"])


def pack_media(media: DecodedMedia) -> tuple[Header, Arrays]:
    """Decoded media as a header and arrays."""
    sound = media.sound
    header: Header = {
        "info": asdict(media.info),
        "warnings": media.warnings,
        "sound": sound
        and {"sample_rate": sound.sample_rate, "starts": sound.starts, "lengths": sound.lengths},
    }
    arrays = [array for sample in media.frames for array in (sample.frames, sample.seconds)]
    return header, arrays + ([] if sound is None else [sound.waveform])


def unpack_media(header: Header, arrays: Arrays) -> DecodedMedia:
    """The media that `pack_media` packed.

    Raises:
        BrokenMessageError: the header and the arrays do not belong together.
    """
    try:
        sound = None
        if header["sound"] is not None:
            starts, lengths = tuple(header["sound"]["starts"]), tuple(header["sound"]["lengths"])
            sound = Sound(arrays[-1], header["sound"]["sample_rate"], starts, lengths)
            arrays = arrays[:-1]
        samples = tuple(FrameSample(*pair) for pair in zip(arrays[::2], arrays[1::2], strict=True))
        return DecodedMedia(MediaInfo(**header["info"]), samples, sound, tuple(header["warnings"]))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise BrokenMessageError(str(error)) from error


def pack_error(error: MediaError) -> Header:
    """A failure as a header."""
    return {"error": {"path": error.path, "cause": error.cause, "reason": error.reason, "hint": error.hint}}


def unpack_error(header: Header) -> MediaError:
    """The failure that `pack_error` packed."""
    failure = header["error"]
    return MediaError(failure["path"], failure["cause"], failure["reason"], hint=failure["hint"])
