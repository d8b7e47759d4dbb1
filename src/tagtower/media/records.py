"""What is asked of a media file, and what comes back: plain values that know no files and no decoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64, UInt8


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a file says about itself.

    `duration` is in seconds, None where the file does not tell. `width` and `height` are those of the picture as
    shown (pixels, rotation and pixel shape applied), 0 without pictures; `rotation` is in degrees counter-clockwise.
    `frame_rate` is in frames per second, `audio_rate` in Hz. `title` is the file's own, from its metadata.
    """

    path: str
    duration: float | None
    width: int
    height: int
    rotation: int
    frame_rate: float | None
    video_codec: str | None
    audio_codec: str | None
    audio_rate: int | None
    title: str | None
    has_pictures: bool
    has_sound: bool


@dataclass(frozen=True, slots=True)
class FrameRequest:
    """Which frames are wanted, and in what size.

    `sparse`: a video longer than `part_seconds` is cut into equal parts, at most `max_parts`, and each part into
    `frames` equal segments; every segment gives one frame. `draw` None takes its centre, k its k-th random moment,
    which depends on `seed` and k alone.

    `dense`: each stretch of `every` frames gives one, all of them the same place: the centre under `draw` None, a
    random one under k. `all` is the same with stretches of one frame. Where that would be more than `max_frames`,
    stretches are made longer until it is not.

    The short side is scaled to `resize` pixels, of which the centre square of side
    `crop` is kept.
    """

    sampling: Literal["sparse", "dense", "all"] = "sparse"
    frames: int = 8
    part_seconds: float = 300.0
    max_parts: int = 4
    every: int = 25
    max_frames: int = 64
    exactness: Literal["exact", "keyframe"] = "exact"
    resize: int = 256
    crop: int = 224
    seed: int = 0
    draws: tuple[int | None, ...] = (None,)

    def __post_init__(self) -> None:
        if not 1 <= self.crop <= self.resize:
            raise ValueError(f"the crop ({self.crop} px) must lie within the scaled frame ({self.resize} px)")


@dataclass(frozen=True, slots=True)
class SoundRequest:
    """Which sound is wanted: mono at `sample_rate` Hz, whole up to `whole_seconds`, else `windows` spread evenly."""

    sample_rate: int = 16_000
    whole_seconds: float = 60.0
    windows: int = 6
    window_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class DecodeRequest:
    """All that is wanted of one file, so that it is opened once. With neither part only its info is read."""

    frames: FrameRequest | None = None
    sound: SoundRequest | None = None


@dataclass(frozen=True, slots=True)
class FrameSample:
    """RGB frames in time order, and when each is shown (seconds after the file's start)."""

    frames: UInt8[np.ndarray, "frame height width 3"]
    seconds: Float64[np.ndarray, " frame"]


@dataclass(frozen=True, slots=True)
class Sound:
    """A mono waveform in [-1, 1]: its windows one after the other.

    `starts` are the moments at which the windows begin (seconds after the file's start), `lengths` their samples.
    """

    waveform: Float32[np.ndarray, " sample"]
    sample_rate: int
    starts: tuple[float, ...]
    lengths: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DecodedMedia:
    """What a file gave: one `FrameSample` per requested draw (none without pictures), its sound if it has any.

    `warnings` say in plain words what could not be read although the file has it.
    """

    info: MediaInfo
    frames: tuple[FrameSample, ...] = ()
    sound: Sound | None = None
    warnings: tuple[str, ...] = ()
