"""Decodes chosen frames of one stream with as little decoding as correctness allows.

The way that was measured to be the fastest correct one: targets in ascending order, one decoder thread; stay in
the group of pictures (GOP) while it holds the target, else seek and look at the landing without decoding; leave
out frames that no other needs until the target's own packet arrives; convert nothing but the targets.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from tagtower.media.failures import DecodingError, pyav_calls
from tagtower.media.packets import PacketReader, order

_SKIPPING_IS_EXACT = frozenset({"h264", "hevc"})
"""Codecs in which leaving out non-reference frames changes no other; AV1 then returns neighbours, VP9 gains nothing."""

_REORDERING = 17
"""More packets in a row than any codec reorders."""

_PENDING_BYTES = 128 << 20
"""Compressed data that wait for their target at most, for files that have no second keyframe."""

_RETREATS = 3
"""How many keyframes to go back when a keyframe turns out not to give its own picture (periodic intra refresh)."""


class FrameReader:
    """Gives the frame that is on screen at a moment; moments must ascend. Units are the stream's time base."""

    def __init__(self, packets: PacketReader, stream: VideoStream) -> None:
        self._packets = packets
        self._stream = stream
        self._codec = stream.codec_context
        self._may_skip = self._codec.name in _SKIPPING_IS_EXACT
        self._pending: deque[Packet[Any]] = deque()  # demuxed, not decoded
        self._pending_bytes = 0
        self._ready: deque[VideoFrame] = deque()  # decoded, later than the last answer
        self._last: VideoFrame | None = None  # the latest of the frames that came out before those
        self._shown: list[int] = []  # presentation times of the packets since the keyframe
        self._key: int | None = None  # where the GOP begins; None before the first landing
        self._position = 0  # the latest packet that was demuxed
        self._horizon: int | None = None  # no packet from here on is presented earlier
        self._last_keyframe: tuple[int | None, VideoFrame] | None = None
        self._end = self._packets.start
        self._exhausted = False  # there are no more packets
        self._drained = False  # the decoder has given its last frame and takes no more packets
        self.packets_refused = 0

    @property
    def end(self) -> int | None:
        """Where the pictures end, once their end was reached."""
        return self._end if self._exhausted else None

    def exact(self, target: int, following: int | None = None) -> VideoFrame | None:
        """The frame shown at `target`: the last that is presented no later, or the first of all.

        `following` is the next target, if there is one: where it lies in another GOP the decoder is emptied at once
        instead of being fed until the target comes out. None means that no frame can be decoded.
        """
        if not self._continues(target):
            self._land(target)
        frame = self._decode_to(target, following)
        for _ in range(_RETREATS):
            if frame is not None or self._key is None or self._key <= self._packets.start:
                break
            self._land(self._key - 1)
            frame = self._decode_to(target, following, begin_anew=False)
        if frame is None and not self._ready and self._packets.seekable:
            self._land(target, earliest=True)
            frame = self._decode_to(target, following, begin_anew=False)
        if frame is None and self._ready:
            frame = self._ready[0]
        return frame

    def keyframe(self, target: int) -> VideoFrame | None:
        """The keyframe at or before `target`, decoded alone; where there is none to be had, the exact frame."""
        if not self._packets.seekable:
            return self.exact(target)
        self._land(target)
        self._look_ahead(target, begin_anew=True)
        if not self._pending or not self._pending[0].is_keyframe:
            return self.exact(target)
        packet = self._pending[0]
        if self._last_keyframe is None or self._last_keyframe[0] != packet.pts:
            self._decode_next(skip=False)
            self._drain()
            if not self._ready:
                return self.exact(target)
            self._last_keyframe = packet.pts, self._ready.popleft()
        return self._last_keyframe[1]

    def _continues(self, target: int) -> bool:
        """Whether to go on decoding from here rather than to seek."""
        if not self._packets.seekable or self._exhausted:
            return True
        if self._key is None or self._drained:
            return False
        entries = self._stream.index_entries
        found = entries.search_timestamp(target)
        if found >= 0:
            if entries[found].timestamp > self._position:
                return False
            if entries[len(entries) - 1].timestamp > target:
                return True
        # The index ends before the target, so its GOP is unknown: go on while that costs no more than a restart
        # of the current GOP would.
        return target - self._position <= self._position - self._key

    def _land(self, target: int, *, earliest: bool = False) -> None:
        try:
            packet = self._packets.land(target, earliest=earliest)
        except DecodingError:
            self._packets.seekable = False
            return
        self._exhausted = False
        self._begin_at(packet)

    def _begin_at(self, key: Packet[Any] | None) -> None:
        self._codec.flush_buffers()
        self._pending.clear()
        self._pending_bytes = 0
        self._ready.clear()
        self._shown.clear()
        self._last = None
        self._horizon = None
        self._drained = False
        self._key = self._position = self._packets.start if key is None else order(key)
        if key is not None:
            self._take(key)

    def _take(self, packet: Packet[Any]) -> None:
        self._pending.append(packet)
        self._pending_bytes += packet.size
        self._position = max(self._position, order(packet))
        if packet.dts is not None:
            self._horizon = packet.dts
        if packet.pts is None:
            self._may_skip = False
        elif not packet.is_discard:
            self._shown.append(packet.pts)
            self._end = max(self._end, packet.pts + (packet.duration or 1))

    def _demux(self) -> Packet[Any] | None:
        packet = None if self._exhausted else self._packets.next()
        self._exhausted = packet is None
        return packet

    def _look_ahead(self, target: int, *, begin_anew: bool) -> None:
        """Demux until no packet can follow that is shown by `target`, dropping all before a keyframe on the way."""
        late = 0
        while late < _REORDERING and (self._horizon is None or self._horizon <= target):
            packet = self._demux()
            if packet is None:
                return
            is_new_start = packet.is_keyframe and packet.pts is not None and packet.pts <= target
            if is_new_start and begin_anew and self._packets.seekable:
                self._begin_at(packet)
            else:
                self._take(packet)
            late = late + 1 if packet.pts is not None and packet.pts > target else 0
            if self._pending_bytes > _PENDING_BYTES:
                self._decode_before(self._goal(target))

    def _goal(self, target: int) -> int | None:
        """When the frame that is shown at `target` is presented, as the packets tell."""
        return max((time for time in self._shown if time <= target), default=None)

    def _decode_before(self, goal: int | None) -> None:
        while self._pending and self._pending[0].pts != goal:
            self._decode_next(skip=self._may_skip)
            while len(self._ready) > 1:
                self._last = self._ready.popleft()

    def _decode_to(self, target: int, following: int | None, *, begin_anew: bool = True) -> VideoFrame | None:
        """The latest frame no later than `target` since the keyframe, or None if the first frame is later."""
        self._look_ahead(target, begin_anew=begin_anew)
        goal = self._goal(target)
        goes_on = not self._packets.seekable or (following is not None and self._continues(following))
        goal_is_in = goal is not None and all(packet.pts != goal for packet in self._pending)
        while self._last is None or goal is None or _time(self._last) != goal:
            if self._ready:
                time = _time(self._ready[0])
                if time is not None and time > target:
                    break
                self._last = self._ready.popleft()
            elif self._drained:
                break
            elif goal_is_in and not goes_on:
                self._drain()
            elif self._pending or self._read_on():
                packet = self._pending[0]
                goal_is_in = goal_is_in or (goal is not None and packet.pts == goal)
                earlier = goal is not None and packet.pts is not None and packet.pts < goal
                self._decode_next(skip=self._may_skip and earlier)
            else:
                self._drain()
        return self._last

    def _read_on(self) -> bool:
        packet = self._demux()
        if packet is not None:
            self._take(packet)
        return packet is not None

    def _decode_next(self, *, skip: bool) -> None:
        packet = self._pending.popleft()
        self._pending_bytes -= packet.size
        self._codec.skip_frame = "NONREF" if skip else "DEFAULT"
        self._decode(packet)

    def _drain(self) -> None:
        self._drained = True
        self._decode(None)

    def _decode(self, packet: Packet[Any] | None) -> None:
        try:
            with pyav_calls():
                self._ready.extend(self._codec.decode(packet))
        except DecodingError:
            self.packets_refused += 1


def _time(frame: VideoFrame) -> int | None:
    return frame.pts if frame.pts is not None else frame.dts
