"""Files that hypothesis damages, and the hostile ones of the benchmark data: decoded media, or one clear error."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tagtower.config.sections import MediaSettings
from tagtower.errors import MediaError
from tagtower.media.isolation import Decoder
from tagtower.media.records import DecodeRequest, FrameRequest, SoundRequest

DEADLINE = 20.0
BOTH = DecodeRequest(FrameRequest(frames=4, resize=64, crop=64, draws=(None, 0)), SoundRequest())
CONTAINERS = (".mp4", ".mkv", ".ts", ".flv", ".webm", ".gif", ".h264", ".wav", ".mp3", ".ogg", ".avi", ".mpg")

places = st.floats(0, 1, exclude_max=True)
cuts = st.tuples(st.just("cut"), places, st.just(b""))
writes = st.tuples(st.just("write"), places, st.binary(min_size=1, max_size=64))
inserts = st.tuples(st.just("insert"), places, st.binary(min_size=1, max_size=64))
removals = st.tuples(st.just("remove"), places, st.binary(min_size=1, max_size=200))
repeats = st.tuples(st.just("repeat"), places, st.binary(min_size=1, max_size=200))
# Sizes, counts and times live near the start of most files.
headers = st.tuples(
    st.just("write"), st.floats(0, 0.05), st.sampled_from([b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0" * 8])
)
DAMAGE = st.lists(cuts | writes | inserts | removals | repeats | headers, min_size=1, max_size=8)


def damaged(data: bytes, damage: list[tuple[str, float, bytes]]) -> bytes:
    for kind, place, content in damage:
        at = int(place * len(data))
        size = len(content)
        match kind:
            case "cut":
                data = data[:at]
            case "write":
                data = data[:at] + content + data[at + size :]
            case "insert":
                data = data[:at] + content + data[at:]
            case "remove":
                data = data[:at] + data[at + size :]
            case "repeat":
                data = data[: at + size] + data[at:]
    return data


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(MediaSettings(deadline_seconds=DEADLINE, memory_mb=1024), workers=1) as decoder:
        yield decoder


@pytest.fixture(scope="module")
def intact(clips) -> dict[str, bytes]:
    """A small file of each kind."""
    how = {
        ".webm": {"video_codec": "libvpx-vp9", "audio_codec": "libopus"},
        ".gif": {"video_codec": "gif", "pixel_format": "rgb8"},
        ".avi": {"video_codec": "mpeg4", "audio_codec": "libmp3lame"},
        ".mpg": {"video_codec": "mpeg2video", "audio_codec": "mp2"},
        ".wav": {"audio_codec": "pcm_s16le"},
        ".mp3": {"audio_codec": "libmp3lame"},
        ".ogg": {"audio_codec": "libopus"},
    }
    files = {}
    for suffix in CONTAINERS:
        frames = None if suffix in (".wav", ".mp3", ".ogg") else clips.paint(25)
        sound = None if suffix in (".gif", ".h264") else clips.tone(1)
        files[suffix] = clips.make(f"small{suffix}", frames, sound, **how.get(suffix, {})).read_bytes()
    return files


def survives(decoder: Decoder, path: Path) -> None:
    start = time.monotonic()
    error: MediaError | None = None
    try:
        media = decoder.decode(path, BOTH)
    except MediaError as refusal:
        error = refusal
    assert time.monotonic() - start < DEADLINE + 5
    if error is not None:
        assert str(path) in str(error)
        assert error.cause not in ("crash", "timeout", "memory"), error
        return
    assert media.frames or media.sound is not None
    for sample in media.frames:
        assert sample.frames.shape[1:] == (64, 64, 3)
        assert np.isfinite(sample.seconds).all()
    if media.sound is not None:
        assert np.abs(media.sound.waveform).max() <= 1


def check(decoder: Decoder, intact: dict[str, bytes], folder: Path, suffix: str, damage: list) -> None:
    path = folder / f"damaged{suffix}"
    path.write_bytes(damaged(intact[suffix], damage))
    survives(decoder, path)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(suffix=".mp4", damage=[("cut", 0.0, b"")])
@given(suffix=st.sampled_from(CONTAINERS), damage=DAMAGE)
def test_damaged_files_end_in_media_or_one_error(
    decoder, intact, tmp_path, suffix: str, damage: list
) -> None:
    check(decoder, intact, tmp_path, suffix, damage)


@pytest.mark.slow
@settings(max_examples=3000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(suffix=st.sampled_from(CONTAINERS), damage=DAMAGE)
def test_many_damaged_files_end_in_media_or_one_error(
    decoder, intact, tmp_path, suffix: str, damage: list
) -> None:
    check(decoder, intact, tmp_path, suffix, damage)


@pytest.mark.bench_data
def test_hostile_files_end_in_media_or_one_error(decoder: Decoder, bench_data: Path) -> None:
    files = sorted(path for path in (bench_data / "data" / "hostile").iterdir() if path.suffix != ".csv")
    assert len(files) == 100
    for path in files:
        survives(decoder, path)


@pytest.mark.bench_data
def test_real_clips_decode(decoder: Decoder, bench_data: Path) -> None:
    for path in sorted((bench_data / "data" / "clips" / "media").iterdir()):
        media = decoder.decode(path, BOTH)
        assert len(media.frames) == 2
        assert (np.diff(media.frames[0].seconds) >= 0).all()
