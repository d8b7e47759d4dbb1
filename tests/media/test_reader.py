from __future__ import annotations

from pathlib import Path

import pytest

from tagtower.config.sections import MediaSettings
from tagtower.media import reader
from tagtower.media.opening import open_media
from tagtower.media.reader import FrameReader


def test_frames_in_one_group_are_decoded_once(clips, monkeypatch: pytest.MonkeyPatch) -> None:
    path = clips.make(
        "one-group.mp4", clips.paint(200), video_options={"g": "1000", "bf": "0", "preset": "veryfast"}
    )
    fed: list[int] = []
    decode = FrameReader._decode
    monkeypatch.setattr(FrameReader, "_decode", lambda self, packet: (fed.append(1), decode(self, packet))[1])
    with open_media(path, MediaSettings()) as media:
        frames = FrameReader(media.packets(media.pictures), media.pictures)
        per_frame = media.pictures.duration // 200
        for number in range(0, 200, 10):
            assert frames.exact(number * per_frame, (number + 10) * per_frame).pts == number * per_frame
    assert sum(fed) <= 200


def test_a_far_target_is_reached_without_decoding_all_before_it(
    clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    fed: list[int] = []
    decode = FrameReader._decode
    monkeypatch.setattr(FrameReader, "_decode", lambda self, packet: (fed.append(1), decode(self, packet))[1])
    with open_media(clips.standard(), MediaSettings()) as media:
        frames = FrameReader(media.packets(media.pictures), media.pictures)
        target = media.pictures.duration * 19 // 20
        assert frames.exact(target).pts == pytest.approx(target, abs=media.pictures.duration // 200)
    assert sum(fed) <= 51


def test_a_file_without_a_second_keyframe_does_not_pile_up_in_memory(
    clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    path: Path = clips.make("one-key.mkv", clips.paint(200), video_options={"g": "1000", "bf": "2"})
    monkeypatch.setattr(reader, "_PENDING_BYTES", 500)
    with open_media(path, MediaSettings()) as media:
        frames = FrameReader(media.packets(media.pictures), media.pictures)
        assert frames.exact(7000).pts == 7000
        assert frames.exact(7960).pts == 7960
