"""Reads packets of one stream past damage, and moves to the keyframe at or before a moment without decoding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from tagtower.media.failures import DecodingError, pyav_calls

_TOLERATED_FAILURES = 16

UNSEEKABLE_FORMATS = frozenset({"gif", "apng", "mpeg"})
"""Formats that are read from their start: in GIF and APNG frames build on all earlier ones; in MPEG program streams
time stamps after a seek were seen to belong to the frame before."""


class PacketReader:
    """The packets of one stream in the order of the file. Timestamps are in units of the stream's time base."""

    def __init__(self, container: InputContainer, stream: Stream, *, at_start: bool) -> None:
        """`at_start` says that nothing has been read from the container yet."""
        self._container = container
        self._at_start = at_start
        self._stream = stream
        self._packets: Iterator[Any] = iter(())
        self._failures = 0
        self._restart()
        self.seekable = container.format.name not in UNSEEKABLE_FORMATS and stream.start_time is not None
        self.start: int = stream.start_time or 0
        self._second = max(1, round(1 / stream.time_base)) if stream.time_base else 1

    def next(self) -> Packet[Any] | None:
        """The next packet with data, or None at the end of what can be read."""
        self._at_start = False
        while True:
            try:
                with pyav_calls():
                    packet = next(self._packets, None)
            except DecodingError:
                self._failures += 1
                if self._failures > _TOLERATED_FAILURES:
                    return None
                self._restart()
                continue
            if packet is None or packet.size:
                return packet

    def land(self, target: int, *, earliest: bool = False) -> Packet[Any] | None:
        """Move to a keyframe at or before `target` and return its packet; reading goes on behind it.

        A demuxer may land late (MPEG-TS was seen to, by up to 191 frames) or between keyframes, so what it lands
        on is looked at and the aim is moved back by 1, 2, 4 ... seconds. None means that the stream is read from
        its very start, as it is when `earliest` is set.

        Raises:
            DecodingError: the file cannot be moved about in.
        """
        back = 0
        while not earliest and target - back > self.start:
            self._seek(target - back)
            packet = self._keyframe_up_to(target)
            if packet is not None:
                return packet
            back = back * 2 or self._second
        self._seek_start()
        return None

    def _keyframe_up_to(self, target: int) -> Packet[Any] | None:
        while (packet := self.next()) is not None:
            if packet.is_keyframe and packet.pts is not None and packet.pts <= target:
                return packet
            if order(packet) > target:
                return None
        return None

    def _seek(self, target: int) -> None:
        self._at_start = False
        with pyav_calls():
            self._container.seek(target, stream=self._stream)
        self._restart()

    def _seek_start(self) -> None:
        if self._at_start:
            return  # seeking would lose what only the first packet tells, such as how much of MP3 is padding
        if self._container.format.name == "mpegts":
            # By byte, because by time it may land behind the first frames.
            with pyav_calls():
                self._container.seek(0, unsupported_byte_offset=True)
            self._restart()
            return
        try:
            # Sound begins with packets that only prime its decoder, from before the first that is heard.
            self._seek(self.start - self._second)
        except DecodingError:
            self._seek(self.start)

    def _restart(self) -> None:
        self._packets = iter(self._container.demux(self._stream))


def order(packet: Packet[Any]) -> int:
    """When a packet is decoded, or shown where that is not known; no later packet is shown before its decoding."""
    if packet.dts is not None:
        return packet.dts
    return packet.pts if packet.pts is not None else 0
