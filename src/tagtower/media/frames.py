"""Samples the frames of a video: moments into decoded, scaled pictures with their true presentation times."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from jaxtyping import UInt8

from tagtower.config.sections import MediaSettings
from tagtower.media.failures import DecodingError, pyav_calls
from tagtower.media.opening import OpenMedia, check_duration, open_media
from tagtower.media.reader import FrameReader
from tagtower.media.records import FrameRequest, FrameSample
from tagtower.media.sampling import segment_times
from tagtower.media.scaling import upright_square

_DEFAULT_RATE = Fraction(25)
_NOTHING = "not one frame is usable"
_SHORTER_SECONDS = 1.0
"""Pictures that end this long before the last moment asked for are sampled anew over what is there."""
_FEWER_SHARE = 0.9
"""Likewise for fewer frames than this share of those counted."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """What the picture stream gave: one sample per draw, its rotation (degrees), its duration (s), what went wrong."""

    samples: tuple[FrameSample, ...]
    rotation: int
    duration: float
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Clock:
    """Turns the stream's time stamps into seconds after the file's start, and back."""

    start: int
    time_base: Fraction
    origin: float

    def stamp(self, seconds_in_stream: float) -> int:
        return self.start + int(seconds_in_stream / self.time_base)

    def seconds(self, stamp: int) -> float:
        return float(stamp * self.time_base) - self.origin


def sample_frames(media: OpenMedia, request: FrameRequest, limits: MediaSettings) -> Pictures:
    """Decode the frames that `request` asks for, all draws in one pass.

    Raises:
        MediaError: the pictures last longer than the cap, which the header did not tell.
        DecodingError: not one frame can be decoded.
    """
    stream = media.pictures
    assert stream is not None
    sample = _sample_numbered if _is_numbered(media, stream) else _sample_timed
    return sample(media, stream, request, limits)


class _Taker:
    """Converts decoded frames, each once."""

    def __init__(self, stream: VideoStream, request: FrameRequest) -> None:
        self._pixel_shape = stream.sample_aspect_ratio
        self._request = request
        self._reformatter = VideoReformatter()
        self._last: tuple[VideoFrame, UInt8[np.ndarray, "crop crop 3"]] | None = None
        self.rotation = 0

    def __call__(self, frame: VideoFrame) -> UInt8[np.ndarray, "crop crop 3"]:
        if self._last is None or self._last[0] is not frame:
            self.rotation = frame.rotation
            size = self._request.resize, self._request.crop
            with pyav_calls():
                self._last = frame, upright_square(frame, self._pixel_shape, *size, self._reformatter)
        return self._last[1]


_Taken = dict[int, tuple[UInt8[np.ndarray, "crop crop 3"], float]]


def _sample_timed(
    media: OpenMedia, stream: VideoStream, request: FrameRequest, limits: MediaSettings
) -> Pictures:
    duration = media.duration_of(stream)
    if duration is None:
        duration = _measure(media.info.path, limits)[0]
        check_duration(media.info.path, duration, limits)
    clock = _Clock(stream.start_time or 0, stream.time_base or Fraction(1), media.origin)
    take = _Taker(stream, request)
    reader = FrameReader(media.packets(stream), stream)
    samples = _read(reader, clock, duration, request, take)
    warnings = []
    last_asked = max(float(segment_times(duration, request, draw)[-1]) for draw in request.draws)
    end = None if reader.end is None else float((reader.end - clock.start) * clock.time_base)
    if end is not None and end < last_asked - _SHORTER_SECONDS:
        # A truncated file: its header promises pictures that are not there.
        warnings.append(f"the pictures end at {end:.1f} s, not at {duration:.1f} s as the header says")
        duration = end
        reader = FrameReader(media.packets(stream), stream)
        samples = _read(reader, clock, duration, request, take)
    return Pictures(samples, take.rotation, duration, (*warnings, *_refusals(reader.packets_refused)))


def _read(
    reader: FrameReader, clock: _Clock, duration: float, request: FrameRequest, take: _Taker
) -> tuple[FrameSample, ...]:
    targets, per_draw = _targets(duration, request, clock.stamp)
    taken: _Taken = {}
    for target, following in zip(targets, [*targets[1:], None], strict=True):
        if request.exactness == "keyframe":
            frame = reader.keyframe(target)
        else:
            frame = reader.exact(target, following)
        if frame is None:
            raise DecodingError(_NOTHING)
        stamp = frame.pts if frame.pts is not None else frame.dts
        taken[target] = take(frame), clock.seconds(target if stamp is None else stamp)
    return _samples(per_draw, taken)


def _sample_numbered(
    media: OpenMedia, stream: VideoStream, request: FrameRequest, limits: MediaSettings
) -> Pictures:
    """Frames of a stream without usable time stamps: they are counted, so all up to the last one are decoded."""
    rate = stream.guessed_rate or stream.average_rate or _DEFAULT_RATE
    count = _measure(media.info.path, limits)[1]
    check_duration(media.info.path, float(count / rate), limits)
    take = _Taker(stream, request)
    samples, decoded, refused = _count_through(media, stream, count, rate, request, take)
    if decoded < count * _FEWER_SHARE:
        # Interlaced streams have two packets a frame; damaged ones lose frames.
        count = decoded
        with open_media(media.info.path, limits) as again:
            assert again.pictures is not None
            samples, _, refused = _count_through(again, again.pictures, count, rate, request, take)
    return Pictures(samples, take.rotation, float(count / rate), _refusals(refused))


def _count_through(
    media: OpenMedia, stream: VideoStream, count: int, rate: Fraction, request: FrameRequest, take: _Taker
) -> tuple[tuple[FrameSample, ...], int, int]:
    """The samples, how many frames there were up to the last one wanted, and how many packets were refused."""
    last = max(count - 1, 0)
    targets, per_draw = _targets(float(count / rate), request, lambda seconds: min(int(seconds * rate), last))
    taken: _Taken = {}
    refused = _Refused()
    waiting = deque(targets)
    number, frame = -1, None
    for number, frame in enumerate(_all_frames(media, stream, refused)):
        while waiting and number >= waiting[0]:
            taken[waiting.popleft()] = take(frame), float(number / rate)
        if not waiting:
            break
    if frame is None:
        raise DecodingError(_NOTHING)
    decoded = count if not waiting else number + 1
    for target in waiting:
        taken[target] = take(frame), float(number / rate)
    return _samples(per_draw, taken), decoded, refused.packets


@dataclass(slots=True)
class _Refused:
    packets: int = 0


def _all_frames(media: OpenMedia, stream: VideoStream, refused: _Refused) -> Iterator[VideoFrame]:
    packets = media.packets(stream)
    at_end = False
    while not at_end:
        packet = packets.next()
        at_end = packet is None
        try:
            with pyav_calls():
                frames = stream.codec_context.decode(packet)
        except DecodingError:
            refused.packets += 1
        else:
            yield from frames


def _targets(
    duration: float, request: FrameRequest, stamp: Callable[[float], int]
) -> tuple[list[int], list[list[int]]]:
    """All time stamps to decode, ascending and each once, and those of every draw."""
    per_draw = [
        [stamp(float(time)) for time in segment_times(duration, request, draw)] for draw in request.draws
    ]
    return sorted({target for targets in per_draw for target in targets}), per_draw


def _samples(per_draw: list[list[int]], taken: _Taken) -> tuple[FrameSample, ...]:
    return tuple(
        FrameSample(
            frames=np.stack([taken[target][0] for target in targets]),
            seconds=np.array([taken[target][1] for target in targets], dtype=np.float64),
        )
        for targets in per_draw
    )


def _refusals(packets: int) -> tuple[str, ...]:
    return (f"{packets} packets of the picture stream are damaged",) if packets else ()


def _is_numbered(media: OpenMedia, stream: VideoStream) -> bool:
    # Raw streams carry no time stamps; AVI numbers packets in decoding order, which B-frames make useless.
    return stream.start_time is None or (media.container.format.name == "avi" and stream.has_b_frames)


def _measure(path: str, limits: MediaSettings) -> tuple[float, int]:
    """Duration (seconds) and packets of the pictures, by reading the file through without decoding."""
    with open_media(path, limits) as media:
        stream = media.pictures
        assert stream is not None
        packets = media.packets(stream)
        count, end = 0, packets.start
        while (packet := packets.next()) is not None:
            count += 1
            if packet.pts is not None:
                end = max(end, packet.pts + (packet.duration or 0))
        return float((end - packets.start) * (stream.time_base or 0)), count
