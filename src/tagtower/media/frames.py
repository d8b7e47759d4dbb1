"""Samples the frames of a video by their time stamps, or by counting where those are of no use."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from jaxtyping import Float64

from tagtower.config.sections import MediaSettings
from tagtower.media.caps import check_duration
from tagtower.media.collector import Collector, Pictures
from tagtower.media.counting import DEFAULT_RATE, count_packets, presented_stamps, sample_by_counting
from tagtower.media.opening import OpenMedia, open_media
from tagtower.media.reader import FrameReader
from tagtower.media.records import FrameRequest
from tagtower.media.sampling import frames_per_stretch, segment_times, stretch_times

_SHORTER_SECONDS = 1.0
"""Pictures that end this long before the header says are sampled anew over what is there, if a moment lies behind."""


@dataclass(frozen=True, slots=True)
class _Clock:
    """Turns seconds into the stream into its time stamps, and those into seconds after the file's start."""

    start: int
    time_base: Fraction
    origin: float

    def stamp(self, seconds: float) -> int:
        return self.start + int(seconds / self.time_base)

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
    # Raw streams carry no time stamps; AVI numbers packets in decoding order, which B-frames make useless.
    if stream.start_time is None or (media.container.format.name == "avi" and stream.has_b_frames):
        return sample_by_counting(media, stream, request, limits)
    duration = media.duration_of(stream)
    if duration is None:
        duration = count_packets(media.info.path, limits).seconds
        check_duration(media.info.path, duration, limits)
    pictures, end = _sample_by_time(media, request, duration, limits)
    if end is None or not 0 < end < duration - _SHORTER_SECONDS:
        return pictures
    # A truncated file: its header promises pictures that are not there.
    with open_media(media.info.path, limits) as again:
        pictures, _ = _sample_by_time(again, request, end, limits)
    warning = f"the pictures end at {end:.1f} s, not at {duration:.1f} s as the header says"
    return replace(pictures, warnings=(warning, *pictures.warnings))


def _sample_by_time(
    media: OpenMedia, request: FrameRequest, duration: float, limits: MediaSettings
) -> tuple[Pictures, float | None]:
    """The pictures, and where they ended (seconds into the stream) if a moment was asked for that lies behind."""
    stream = media.pictures
    assert stream is not None
    clock = _Clock(stream.start_time or 0, stream.time_base or Fraction(1), media.origin)
    moments = _moments(media, request, duration, clock, limits)
    collector = Collector(stream, request, duration, moments, clock.stamp)
    reader = FrameReader(media.packets(stream), stream)
    for target, following in zip(collector.targets, [*collector.targets[1:], None], strict=True):
        if request.exactness == "keyframe":
            frame = reader.keyframe(target)
        else:
            frame = reader.exact(target, following)
        stamp = None if frame is None else frame.pts if frame.pts is not None else frame.dts
        collector.take(target, frame, clock.seconds(target if stamp is None else stamp))
    end = None if reader.end is None else float((reader.end - clock.start) * clock.time_base)
    is_behind = end is not None and end < collector.last_moment
    return collector.pictures(reader.packets_refused), end if is_behind else None


def _moments(
    media: OpenMedia, request: FrameRequest, duration: float, clock: _Clock, limits: MediaSettings
) -> list[Float64[np.ndarray, " _"]]:
    """The moments of each draw (seconds into the stream)."""
    if request.sampling == "sparse":
        return [segment_times(duration, request, draw) for draw in request.draws]
    shown = _shown(media, request, duration, clock, limits)
    return [stretch_times(shown, request, draw) for draw in request.draws]


def _shown(
    media: OpenMedia, request: FrameRequest, duration: float, clock: _Clock, limits: MediaSettings
) -> Float64[np.ndarray, " all"]:
    """When each frame is shown, as the packets tell (seconds into the stream).

    A video that the cap thins out anyway is not read through for it: its frames are taken to be evenly spaced.
    """
    stream = media.pictures
    assert stream is not None
    rate = float(stream.average_rate or stream.guessed_rate or DEFAULT_RATE)
    count = max(1, round(duration * rate))
    readable = request.max_frames * frames_per_stretch(request)
    may_fit = count <= 2 * readable  # headers are off by a few frames, and some count fields
    stamps = presented_stamps(media.info.path, limits, readable) if may_fit else None
    if stamps is None:
        return np.arange(count) / rate
    return np.array([float((stamp - clock.start) * clock.time_base) for stamp in stamps])
