"""Collects the pictures of all draws of a video while its frames go by once, in ascending order of time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from jaxtyping import Float64, UInt8

from tagtower.media.failures import DecodingError, pyav_calls
from tagtower.media.records import FrameRequest, FrameSample
from tagtower.media.scaling import upright_square


@dataclass(frozen=True, slots=True)
class Pictures:
    """What the picture stream gave: a sample per draw, its rotation (degrees), its duration (s), what went wrong."""

    samples: tuple[FrameSample, ...]
    rotation: int
    duration: float
    warnings: tuple[str, ...]


class Collector:
    """Knows which moments are wanted, and turns the frame of each into a picture, once per frame.

    `moments` are those of each draw (seconds into the stream, ascending). `stamp` turns one into the whole number by
    which the caller finds frames; `targets` are those numbers, ascending and each once.
    """

    def __init__(
        self,
        stream: VideoStream,
        request: FrameRequest,
        duration: float,
        moments: Sequence[Float64[np.ndarray, " _"]],
        stamp: Callable[[float], int],
    ) -> None:
        self._pixel_shape = stream.sample_aspect_ratio
        self._size = request.resize, request.crop
        self._duration = duration
        self._draws = [[stamp(float(moment)) for moment in draw] for draw in moments]
        self._reformatter = VideoReformatter()
        self._frame: VideoFrame | None = None
        self._picture: UInt8[np.ndarray, "crop crop 3"] | None = None
        self._taken: dict[int, tuple[UInt8[np.ndarray, "crop crop 3"], float]] = {}
        self.targets = sorted({target for draw in self._draws for target in draw})
        self.last_moment = max(float(draw[-1]) for draw in moments)

    def take(self, target: int, frame: VideoFrame | None, seconds: float) -> None:
        """Keep the frame that is shown at `target`, and when it is shown (seconds after the file's start).

        Raises:
            DecodingError: there is none, or it cannot be converted.
        """
        if frame is None:
            raise DecodingError("not one frame is usable")
        if self._picture is None or frame is not self._frame:
            with pyav_calls():
                self._picture = upright_square(frame, self._pixel_shape, *self._size, self._reformatter)
            self._frame = frame
        self._taken[target] = self._picture, seconds

    def pictures(self, packets_refused: int) -> Pictures:
        """All draws, once every target was taken."""
        damage = (f"{packets_refused} packets of the picture stream are damaged",) if packets_refused else ()
        samples = tuple(
            FrameSample(
                frames=np.stack([self._taken[target][0] for target in targets]),
                seconds=np.array([self._taken[target][1] for target in targets], dtype=np.float64),
            )
            for targets in self._draws
        )
        rotation = self._frame.rotation if self._frame is not None else 0
        return Pictures(samples, rotation, self._duration, damage)
