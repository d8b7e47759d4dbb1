from __future__ import annotations

from typing import Any

import pytest

from tagtower.config.sections import MediaSettings
from tagtower.errors import MediaError
from tagtower.media.decode import decode
from tagtower.media.records import DecodeRequest, FrameRequest, SoundRequest

BOTH = DecodeRequest(FrameRequest(resize=64, crop=64), SoundRequest())


def spoiled(clips, *kinds: str) -> str:
    def spoil(packet: Any) -> bytes:
        return b"\x7f" * packet.size if packet.stream.type in kinds else bytes(packet)

    return str(clips.remux(clips.standard(), f"spoiled-{'-'.join(kinds)}.mp4", spoil))


def test_frames_and_sound_come_from_one_call(clips) -> None:
    media = decode(clips.standard(), BOTH, MediaSettings())
    assert media.frames[0].frames.shape == (8, 64, 64, 3)
    assert media.sound is not None
    assert media.sound.waveform.size == pytest.approx(8 * 16_000, abs=1600)
    assert media.warnings == ()


def test_nothing_asked_for_gives_the_info_alone(clips) -> None:
    media = decode(clips.standard(), DecodeRequest(), MediaSettings())
    assert media.info.has_pictures
    assert (media.frames, media.sound) == ((), None)


def test_damaged_pictures_leave_the_sound(clips) -> None:
    media = decode(spoiled(clips, "video"), BOTH, MediaSettings())
    assert media.frames == ()
    assert media.sound is not None
    assert "pictures cannot be decoded" in media.warnings[0]


def test_damaged_sound_leaves_the_pictures(clips) -> None:
    media = decode(spoiled(clips, "audio"), BOTH, MediaSettings())
    assert len(media.frames[0].frames) == 8
    assert media.sound is None
    assert "sound cannot be decoded" in media.warnings[0]


def test_all_damaged_is_one_error_that_tells_both(clips) -> None:
    path = spoiled(clips, "video", "audio")
    with pytest.raises(MediaError, match="pictures cannot.*sound cannot") as caught:
        decode(path, BOTH, MediaSettings())
    assert caught.value.cause == "damaged"
    assert caught.value.path == path


def test_sound_where_pictures_are_asked_for(clips) -> None:
    path = clips.make("voice.wav", None, clips.tone(1), audio_codec="pcm_s16le")
    with pytest.raises(MediaError, match="holds sound but no pictures"):
        decode(path, DecodeRequest(FrameRequest()), MediaSettings())
