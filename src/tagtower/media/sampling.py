"""Where in a video frames and sound are taken: pure arithmetic on durations."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float64

from tagtower.media.records import FrameRequest, SoundRequest


def segment_times(duration: float, request: FrameRequest, draw: int | None) -> Float64[np.ndarray, " frame"]:
    """Moments (seconds, ascending, in [0, duration)) at which frames are taken, one per segment.

    There are `request.frames` segments in each of P parts, where P = ceil(duration / part_seconds), at most
    `max_parts`; so the work is bounded whatever the duration. All draws of a video and the same draw of every
    video are independent of which others are asked for.

    Source: Wang et al., Temporal Segment Networks, ECCV 2016, section 3.1.
    """
    parts = min(max(1, math.ceil(duration / request.part_seconds)), request.max_parts)
    count = parts * request.frames
    if draw is None:
        offsets = np.full(count, 0.5)
    else:
        offsets = np.random.default_rng((request.seed, draw)).random(count)
    times: Float64[np.ndarray, " frame"] = (np.arange(count) + offsets) * (duration / count)
    return times


def stretch_times(
    shown: Float64[np.ndarray, " all"], request: FrameRequest, draw: int | None
) -> Float64[np.ndarray, " frame"]:
    """Moments (seconds, ascending) at which one frame of each stretch of k frames is on screen, at most `max_frames`.

    k is `request.every` for `dense` and 1 for `all`, and as much more as the cap asks for; so the work is bounded
    whatever the duration. A moment lies halfway between its frame and the next, where no rounding leads astray.

    Args:
        shown: when each frame of the video is first shown (seconds, ascending); at least one.
    """
    count = len(shown)
    stretch = max(frames_per_stretch(request), math.ceil(count / request.max_frames))
    places = min(stretch, count)
    if draw is None:
        place = (places - 1) // 2
    else:
        place = int(np.random.default_rng((request.seed, draw)).integers(places))
    last = shown[-1] + (shown[-1] - shown[-2] if count > 1 else 0.0)
    until = np.append(shown[1:], last)
    times: Float64[np.ndarray, " frame"] = ((shown + until) / 2)[place::stretch]
    return times


def frames_per_stretch(request: FrameRequest) -> int:
    """How many frames a stretch has where the cap does not make it longer."""
    return request.every if request.sampling == "dense" else 1


def sound_spans(duration: float | None, request: SoundRequest) -> list[tuple[float, float]]:
    """The (start, length) of each stretch of sound that is read, in seconds after the sound's own start.

    Short sound, or sound of unknown duration, is one span. Longer sound is cut into equal segments, each with a
    window at its centre.
    """
    whole = max(request.whole_seconds, request.windows * request.window_seconds)
    if duration is None or duration <= whole:
        return [(0.0, whole)]
    segment = duration / request.windows
    margin = (segment - request.window_seconds) / 2
    return [(number * segment + margin, request.window_seconds) for number in range(request.windows)]
