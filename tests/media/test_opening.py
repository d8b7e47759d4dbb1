from __future__ import annotations

import os
import struct
from pathlib import Path

import av
import numpy as np
import pytest

from tagtower.config.sections import MediaSettings
from tagtower.errors import MediaError
from tagtower.media.decode import probe


def refusal(path: Path, **caps: object) -> MediaError:
    with pytest.raises(MediaError) as caught:
        probe(path, MediaSettings(**caps))
    assert str(path) in str(caught.value)
    return caught.value


def test_what_a_header_says(clips) -> None:
    info = probe(clips.make("told.mp4", clips.paint(50), clips.tone(2), title=" A title "), MediaSettings())
    assert (info.width, info.height, info.frame_rate) == (96, 64, 25)
    assert (info.video_codec, info.audio_codec, info.audio_rate) == ("h264", "aac", 16_000)
    assert info.duration == pytest.approx(2, abs=0.1)
    assert info.title == "A title"
    assert info.has_pictures
    assert info.has_sound


def test_sound_alone_and_pictures_alone(clips) -> None:
    sound = probe(clips.make("sound.wav", None, clips.tone(1), audio_codec="pcm_s16le"), MediaSettings())
    assert (sound.has_pictures, sound.has_sound, sound.width) == (False, True, 0)
    pictures = probe(clips.make("pictures.mp4", clips.paint(5)), MediaSettings())
    assert (pictures.has_pictures, pictures.has_sound, pictures.audio_rate) == (True, False, None)


def test_cover_art_is_no_video(clips) -> None:
    info = probe(clips.with_cover("cover.mp4", clips.tone(1)), MediaSettings())
    assert not info.has_pictures
    assert info.has_sound


def test_the_title_of_a_track_is_not_that_of_the_file(clips) -> None:
    path = clips.folder / "track.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, width=64, height=64, pix_fmt="yuv420p")
        stream.metadata["title"] = "Main camera"
        for packet in [*stream.encode(av.VideoFrame(64, 64, "yuv420p")), *stream.encode(None)]:
            container.mux(packet)
    assert probe(path, MediaSettings()).title is None


def test_missing(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.mp4").cause == "missing"


def test_a_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path).cause == "unreadable"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    assert refusal(tmp_path / "pipe.mp4").cause == "unreadable"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "secret.mp4"
    path.write_bytes(b"x")
    path.chmod(0)
    assert refusal(path).cause == "unreadable"


def test_empty(tmp_path: Path) -> None:
    path = tmp_path / "empty.mp4"
    path.touch()
    assert refusal(path).cause == "empty"


@pytest.mark.parametrize(
    "content", [b"just text\n" * 100, b"\0" * 5000, b"%PDF-1.7 and so on", b"\x1aE\xdf\xa3"]
)
def test_no_media(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.mp4"
    path.write_bytes(content)
    assert refusal(path).cause in ("not-media", "no-streams")


def test_subtitles_alone_are_no_media(tmp_path: Path) -> None:
    path = tmp_path / "words.srt"
    path.write_text("1\n00:00:00,000 --> 00:00:02,000\nHello\n\n")
    assert refusal(path).cause == "no-streams"


def test_a_playlist_opens_no_other_file(clips, tmp_path: Path) -> None:
    video = clips.standard(".ts")
    playlist = tmp_path / "list.m3u8"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:8\n#EXTINF:8,\n{video.as_uri()}\n#EXT-X-ENDLIST\n")
    assert refusal(playlist).cause in ("not-media", "no-streams")


def test_too_many_pixels_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.gif"
    bomb.write_bytes(
        b"GIF89a" + struct.pack("<HHBBB", 16_000, 16_000, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
        b"," + struct.pack("<HHHHB", 0, 0, 16_000, 16_000, 0) + b"\x02\x02\x44\x01\x00;"
    )
    error = refusal(bomb)
    assert error.cause == "too-large"
    assert "16000 x 16000" in error.reason
    assert "media.max_pixels" in str(error.hint)


def test_too_long(clips) -> None:
    error = refusal(clips.standard(), max_seconds=5.0)
    assert error.cause == "too-large"
    assert "8 s" in error.reason


def test_too_many_streams(clips) -> None:
    error = refusal(clips.standard(), max_streams=1)
    assert error.cause == "too-large"
    assert "2 streams" in error.reason


def test_metadata_that_are_no_text_do_no_harm(clips) -> None:
    path = clips.make("title.mkv", clips.paint(5), title="TITLE-OF-THE-FILE")
    path.write_bytes(path.read_bytes().replace(b"TITLE-OF-THE-FILE", b"\xff\xfe TLE-OF-THE-FILE"))
    assert "OF-THE-FIL" in str(probe(path, MediaSettings()).title)


def test_names_that_look_like_addresses_are_names(clips, tmp_path: Path) -> None:
    folder = tmp_path / "concat:a|b"
    folder.mkdir()
    path = folder / "naïve 视频 %20#?.mp4"
    path.write_bytes(clips.standard().read_bytes())
    assert probe(path, MediaSettings()).has_pictures
    assert np.isfinite(probe(str(path), MediaSettings()).duration or np.nan)
