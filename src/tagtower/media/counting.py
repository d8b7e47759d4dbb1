"""Finds frames by counting them, in streams without usable time stamps: all up to the last one wanted are decoded."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from tagtower.config.sections import MediaSettings
from tagtower.media.caps import check_duration
from tagtower.media.collector import Collector, Pictures
from tagtower.media.failures import DecodingError, pyav_calls
from tagtower.media.opening import OpenMedia, open_media
from tagtower.media.records import FrameRequest
from tagtower.media.sampling import segment_times, stretch_times

DEFAULT_RATE = Fraction(25)
"""Frames per second of a stream that does not tell."""

_FEWER_SHARE = 0.9
"""Where fewer frames than this share of the packets come out, they are sampled anew over what there is."""


@dataclass(frozen=True, slots=True)
class PacketCount:
    """How many packets the pictures have, and how long they last by their time stamps (seconds)."""

    packets: int
    seconds: float


def count_packets(path: str, limits: MediaSettings) -> PacketCount:
    """Read the pictures of a file through without decoding."""
    with open_media(path, limits) as media:
        stream = media.pictures
        assert stream is not None
        packets = media.packets(stream)
        count, end = 0, packets.start
        while (packet := packets.next()) is not None:
            count += 1
            if packet.pts is not None:
                end = max(end, packet.pts + (packet.duration or 0))
        return PacketCount(count, float((end - packets.start) * (stream.time_base or 0)))


def presented_stamps(path: str, limits: MediaSettings, at_most: int) -> list[int] | None:
    """Time stamps (in units of the stream's time base) at which frames are shown, in order, without decoding.

    None where there are more than `at_most`, or where packets do not tell.
    """
    with open_media(path, limits) as media:
        stream = media.pictures
        assert stream is not None
        packets = media.packets(stream)
        stamps: set[int] = set()
        while (packet := packets.next()) is not None:
            if packet.pts is None or len(stamps) > at_most:
                return None
            if not packet.is_discard:
                stamps.add(packet.pts)
        return sorted(stamps) if 0 < len(stamps) <= at_most else None


def sample_by_counting(
    media: OpenMedia, stream: VideoStream, request: FrameRequest, limits: MediaSettings
) -> Pictures:
    """Decode the frames that `request` asks for; frame n is shown n frame durations after the start.

    Raises:
        MediaError: the pictures last longer than the cap.
        DecodingError: not one frame can be decoded.
    """
    rate = stream.guessed_rate or stream.average_rate or DEFAULT_RATE
    count = count_packets(media.info.path, limits).packets
    check_duration(media.info.path, float(count / rate), limits)
    pictures, decoded = _sample(media, stream, request, count, rate)
    if decoded < count * _FEWER_SHARE:
        # Interlaced streams may have two packets a frame; damaged ones lose frames.
        with open_media(media.info.path, limits) as again:
            assert again.pictures is not None
            pictures, _ = _sample(again, again.pictures, request, decoded, rate)
    return pictures


def _sample(
    media: OpenMedia, stream: VideoStream, request: FrameRequest, count: int, rate: Fraction
) -> tuple[Pictures, int]:
    """The pictures among `count` frames, and how many frames there turned out to be, as far as they were counted."""
    last = max(count - 1, 0)
    duration = float(count / rate)
    if request.sampling == "sparse":
        moments = [segment_times(duration, request, draw) for draw in request.draws]
    else:
        shown = np.arange(max(count, 1)) / float(rate)
        moments = [stretch_times(shown, request, draw) for draw in request.draws]
    collector = Collector(stream, request, duration, moments, lambda seconds: min(int(seconds * rate), last))
    waiting = deque(collector.targets)
    frames = _Frames(media, stream)
    number, frame = -1, None
    for number, frame in enumerate(frames):
        while waiting and number >= waiting[0]:
            collector.take(waiting.popleft(), frame, float(number / rate))
        if not waiting:
            break
    decoded = number + 1 if waiting else count
    for target in waiting:
        collector.take(target, frame, float(number / rate))
    return collector.pictures(frames.packets_refused), decoded


class _Frames:
    """All frames of a stream in order of presentation, past damage."""

    def __init__(self, media: OpenMedia, stream: VideoStream) -> None:
        self._packets = media.packets(stream)
        self._codec = stream.codec_context
        self.packets_refused = 0

    def __iter__(self) -> Iterator[VideoFrame]:
        at_end = False
        while not at_end:
            packet = self._packets.next()
            at_end = packet is None
            try:
                with pyav_calls():
                    frames = self._codec.decode(packet)
            except DecodingError:
                self.packets_refused += 1
            else:
                yield from frames
