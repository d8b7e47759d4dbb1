"""Writes clips: the one encoder of pictures and sound, which the demo corpus and the test fixtures share."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import OutputContainer
from jaxtyping import Float32, UInt8

from tagtower.errors import StorageError

_SOUND_CHUNK = 1024
_REPEATABLE = {"libx264": {"mbtree": "0"}}
"""Options without which the same frames give other bytes: one of seven x264 runs did on a CPU with AVX-512."""

_FINE_TIME_BASE = Fraction(1, 90_000)


def write_clip(
    path: Path | str,
    frames: UInt8[np.ndarray, "frame height width 3"] | None,
    rate: int | float | Fraction = 25,
    waveform: Float32[np.ndarray, " sample"] | None = None,
    sample_rate: int = 16_000,
    *,
    video_codec: str = "libx264",
    audio_codec: str = "aac",
    pixel_format: str = "yuv420p",
    video_options: Mapping[str, str] | None = None,
    container_options: Mapping[str, str] | None = None,
    title: str | None = None,
    rotation: int = 0,
    seconds: Sequence[float] | None = None,
) -> Path:
    """Encode RGB frames and a mono waveform in [-1, 1] into a media file, and return its path.

    The container follows from the file's suffix. `rate` is in frames per second; `seconds`, one ascending
    presentation time per frame, replaces it where the rate varies. `rotation` is written as metadata: the degrees
    counter-clockwise by which a player turns the picture. The file appears under its name only when it is whole.

    Raises:
        ValueError: there is nothing to write, or `seconds` and `frames` differ in length.
        StorageError: the file cannot be written.
    """
    if frames is None and waveform is None:
        raise ValueError("a clip needs frames, a waveform, or both")
    if frames is not None and seconds is not None and len(seconds) != len(frames):
        raise ValueError(f"{len(frames)} frames have {len(seconds)} presentation times")
    path = Path(path)
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        with av.open(str(partial), "w", options=dict(container_options or {})) as container:
            if title is not None:
                container.metadata["title"] = title
            packets: list[Iterator[tuple[float, Any]]] = []
            if frames is not None:
                stream = _video_stream(container, frames, rate, video_codec, pixel_format, video_options)
                if rotation:
                    stream.set_display_rotation(rotation)
                packets.append(_video_packets(stream, frames, Fraction(rate), seconds))
            if waveform is not None:
                packets.append(_audio_packets(container, waveform, sample_rate, audio_codec))
            # In order of time, so that neither stream waits in the muxer's memory for the other.
            for _, packet in heapq.merge(*packets, key=lambda timed: timed[0]):
                container.mux(packet)
        partial.replace(path)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return path


def _video_stream(
    container: OutputContainer,
    frames: UInt8[np.ndarray, "frame height width 3"],
    rate: int | float | Fraction,
    codec: str,
    pixel_format: str,
    options: Mapping[str, str] | None,
) -> Any:
    stream: Any = container.add_stream(codec, rate=Fraction(rate).limit_denominator(90_000))
    stream.height, stream.width = frames.shape[1:3]
    stream.pix_fmt = pixel_format
    stream.options = {**_REPEATABLE.get(codec, {}), **(options or {})}
    stream.codec_context.thread_count = 1  # the same bytes whatever the machine's cores
    return stream


def _video_packets(
    stream: Any,
    frames: UInt8[np.ndarray, "frame height width 3"],
    rate: Fraction,
    seconds: Sequence[float] | None,
) -> Iterator[tuple[float, Any]]:
    if seconds is not None:
        stream.codec_context.time_base = _FINE_TIME_BASE
    for number, pixels in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        if seconds is None:
            frame.pts, frame.time_base = number, 1 / rate.limit_denominator(90_000)
        else:
            frame.pts, frame.time_base = round(seconds[number] / _FINE_TIME_BASE), _FINE_TIME_BASE
        time = float(frame.pts * frame.time_base)
        for packet in stream.encode(frame):
            yield time, packet
    for packet in stream.encode(None):
        yield float("inf"), packet


def _audio_packets(
    container: OutputContainer, waveform: Float32[np.ndarray, " sample"], sample_rate: int, codec: str
) -> Iterator[tuple[float, Any]]:
    stream: Any = container.add_stream(codec, rate=sample_rate, layout="mono")
    for start in range(0, len(waveform), _SOUND_CHUNK):
        chunk = np.ascontiguousarray(waveform[None, start : start + _SOUND_CHUNK])
        frame = av.AudioFrame.from_ndarray(chunk, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = sample_rate, start, Fraction(1, sample_rate)
        for packet in stream.encode(frame):
            yield start / sample_rate, packet
    for packet in stream.encode(None):
        yield float("inf"), packet
