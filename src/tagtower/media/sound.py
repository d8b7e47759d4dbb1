"""Reads sound as a mono waveform: whole, or in windows spread over the track."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from jaxtyping import Float32

from tagtower.media.failures import DecodingError, pyav_calls
from tagtower.media.opening import OpenMedia
from tagtower.media.records import Sound, SoundRequest
from tagtower.media.sampling import sound_spans

_PREROLL_SECONDS = 0.25
"""Decoded before a window and thrown away: AAC, MP3 and Opus need their past to give right samples."""

_HIGHEST_RATE = 3_000_000
"""In Hz; no recording has more (DSD has 2.8 MHz). The filter of a resampler grows with the rate that a file claims."""


def read_sound(media: OpenMedia, request: SoundRequest) -> tuple[Sound, tuple[str, ...]]:
    """The sound that `request` asks for, and warnings about what could not be decoded.

    Raises:
        DecodingError: not one sample can be decoded.
    """
    assert media.sound is not None
    reader = _SoundReader(media)
    spans = [
        reader.read(*span, request.sample_rate)
        for span in sound_spans(media.duration_of(media.sound), request)
    ]
    heard = [(start, samples) for start, samples in spans if len(samples)]
    if not heard:
        raise DecodingError("not one sample is usable")
    refused = reader.packets_refused
    sound = Sound(
        waveform=np.concatenate([samples for _, samples in heard]),
        sample_rate=request.sample_rate,
        starts=tuple(start for start, _ in heard),
        lengths=tuple(len(samples) for _, samples in heard),
    )
    return sound, ((f"{refused} packets of the sound are damaged",) if refused else ())


class _SoundReader:
    """Reads stretches of one sound stream, in ascending order."""

    def __init__(self, media: OpenMedia) -> None:
        assert media.sound is not None
        self._stream = media.sound
        self._packets = media.packets(media.sound)
        self._time_base = float(media.sound.time_base or 1)
        self._first = self._packets.start * self._time_base
        self._origin = media.origin
        self.packets_refused = 0

    def read(self, start: float, length: float, rate: int) -> tuple[float, Float32[np.ndarray, " sample"]]:
        """Up to `length` seconds from `start` seconds into the stream, and when they begin (after the file's start)."""
        # From the very start nothing is cut off: a header may put it later than the first sample.
        start = self._first + start if start > 0 else -np.inf
        begins: float | None = None  # when the first sample of `chunks` is heard
        chunks: list[np.ndarray] = []
        wanted = round(length * rate)
        skip = 0
        resampler = _Mono(rate)
        for time, frame in self._frames_from(start - _PREROLL_SECONDS):
            if time + frame.samples / frame.sample_rate < start:
                continue
            if begins is None:
                begins = max(start, time)
                skip = round((begins - time) * rate)
            chunks.extend(resampler.convert(frame))
            if sum(map(len, chunks)) >= skip + wanted:
                break
        else:
            chunks.extend(resampler.rest())
        if begins is None or not chunks:
            return 0.0, np.zeros(0, np.float32)
        samples = np.concatenate(chunks)[skip : skip + wanted]
        return begins - self._origin, np.nan_to_num(samples.clip(-1, 1), copy=False)

    def _frames_from(self, start: float) -> Iterator[tuple[float, AudioFrame]]:
        """Decoded frames with their times (seconds in the stream's own clock), from at or before `start`."""
        packet = None
        if self._packets.seekable:
            earliest = start < self._first
            packet = self._packets.land(0 if earliest else int(start / self._time_base), earliest=earliest)
        codec = self._stream.codec_context
        codec.flush_buffers()
        clock = self._first
        at_end = False
        while not at_end:
            packet = packet or self._packets.next()
            at_end = packet is None
            for frame in self._decode(codec, packet):
                if frame.time is not None:
                    clock = frame.time
                yield clock, frame
                clock += frame.samples / frame.sample_rate
            packet = None

    def _decode(self, codec: Any, packet: Any) -> list[AudioFrame]:
        try:
            with pyav_calls():
                return [frame for frame in codec.decode(packet) if frame.samples and frame.sample_rate]
        except DecodingError:
            self.packets_refused += 1
            return []


class _Mono:
    """Resamples frames to mono at one rate; a stream may change its own format on the way."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._resampler: AudioResampler | None = None
        self._kind: tuple[Any, ...] | None = None

    def convert(self, frame: AudioFrame) -> list[np.ndarray]:
        """The samples that come out after `frame` has gone in.

        Raises:
            DecodingError: the frame claims a rate that no recording has.
        """
        if frame.sample_rate > _HIGHEST_RATE:
            raise DecodingError(f"claims {frame.sample_rate} samples of sound a second")
        chunks: list[np.ndarray] = []
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != self._kind:
            chunks = self.rest()
            self._kind = kind
            self._resampler = AudioResampler(format="flt", layout="mono", rate=self._rate)
        frame.pts = None  # the resampler would fill gaps and cut overlaps of damaged time stamps
        return chunks + self._resample(frame)

    def rest(self) -> list[np.ndarray]:
        """The samples still inside."""
        return self._resample(None)

    def _resample(self, frame: AudioFrame | None) -> list[np.ndarray]:
        if self._resampler is None:
            return []
        with pyav_calls():
            return [out.to_ndarray().reshape(-1) for out in self._resampler.resample(frame)]
