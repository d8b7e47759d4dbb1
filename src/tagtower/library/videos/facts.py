"""The facts of media that are kept beside a video, as a file itself states them."""

from __future__ import annotations

from typing import Any

from tagtower.media.records import MediaInfo


def facts_of(info: MediaInfo) -> dict[str, Any]:
    """Return the facts: length in seconds, size in pixels as shown, frames per second, codecs, sample rate in Hz."""
    return {
        "seconds": None if info.duration is None else round(info.duration, 3),
        "width": info.width or None,
        "height": info.height or None,
        "frame_rate": None if info.frame_rate is None else round(info.frame_rate, 3),
        "video_codec": info.video_codec,
        "audio_codec": info.audio_codec,
        "sample_rate": info.audio_rate,
        "pictures": info.has_pictures,
        "sound": info.has_sound,
    }
