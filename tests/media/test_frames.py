"""Sampled frames against the slow obvious way: decode everything, take the frame on screen at each moment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
import pytest

from tagtower.config.sections import MediaSettings
from tagtower.errors import MediaError
from tagtower.media.decode import decode
from tagtower.media.records import DecodedMedia, DecodeRequest, FrameRequest
from tagtower.media.sampling import segment_times

DRAWS = (None, 0, 1)
REQUEST = FrameRequest(frames=6, resize=64, crop=64, draws=DRAWS)

X264 = {"g": "50", "bf": "2", "preset": "veryfast"}
X265 = "keyint=50:bframes=3:log-level=none"
FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "mp4": (".mp4", {"video_options": X264}),
    "fragmented mp4": (
        ".mp4",
        {"video_options": X264, "container_options": {"movflags": "frag_keyframe+empty_moov"}},
    ),
    "mkv": (".mkv", {"video_options": X264}),
    "mkv without cues and duration": (".mkv", {"video_options": X264, "container_options": {"live": "1"}}),
    "mpeg-ts": (".ts", {"video_options": X264}),
    "mpeg-ts with open groups": (".ts", {"video_options": {"x264-params": "open-gop=1:keyint=50:bframes=2"}}),
    "flv": (".flv", {"video_options": X264}),
    "intra refresh": (".mp4", {"video_options": {"x264-params": "intra-refresh=1:keyint=50:bframes=2"}}),
    "one group for all": (".mkv", {"video_options": {"g": "1000", "bf": "3", "preset": "veryfast"}}),
    "hevc": (".mp4", {"video_codec": "libx265", "video_options": {"x265-params": X265}}),
    "hevc with open groups": (
        ".ts",
        {"video_codec": "libx265", "video_options": {"x265-params": X265 + ":open-gop=1"}},
    ),
    "vp8": (
        ".webm",
        {"video_codec": "libvpx", "video_options": {"g": "50", "auto-alt-ref": "1", "lag-in-frames": "16"}},
    ),
    "vp9": (
        ".webm",
        {"video_codec": "libvpx-vp9", "video_options": {"g": "50", "deadline": "realtime", "cpu-used": "8"}},
    ),
    "av1": (".mp4", {"video_codec": "libsvtav1", "video_options": {"g": "50", "preset": "12"}}),
    "mpeg-2 program": (".mpg", {"video_codec": "mpeg2video", "video_options": {"g": "50"}}),
    "10 bit": (".mp4", {"video_options": X264, "pixel_format": "yuv420p10le"}),
    "transparent": (".mov", {"video_codec": "qtrle", "pixel_format": "argb"}),
    "gif": (".gif", {"video_codec": "gif", "pixel_format": "rgb8"}),
    "apng": (".apng", {"video_codec": "apng", "pixel_format": "rgba"}),
    "motion jpeg avi": (".avi", {"video_codec": "mjpeg", "pixel_format": "yuvj420p"}),
}


def sampled(path: Path, request: FrameRequest = REQUEST) -> DecodedMedia:
    return decode(path, DecodeRequest(request), MediaSettings())


def shown(path: Path) -> tuple[np.ndarray, list[np.ndarray]]:
    """When each frame of the file is shown (seconds after the file's start), and its centre square."""
    with av.open(str(path)) as container:
        origin = (container.start_time or 0) / av.time_base
        frames = list(container.decode(video=0))
    left = (frames[0].width - frames[0].height) // 2
    squares = [frame.to_ndarray(format="rgb24")[:, left : left + frame.height] for frame in frames]
    return np.array([frame.pts * float(frame.time_base) - origin for frame in frames]), squares


def assert_frames_on_screen(media: DecodedMedia, path: Path, number: Callable[[np.ndarray], int]) -> None:
    seconds, squares = shown(path)
    duration = seconds[-1] - seconds[0] + np.median(np.diff(seconds))
    slack = 0.11  # what headers say of the duration differs by a few frames from what is there
    for draw, sample in zip(DRAWS, media.frames, strict=True):
        moments = seconds[0] + segment_times(duration, REQUEST, draw)
        for moment, second, picture in zip(moments, sample.seconds, sample.frames, strict=True):
            index = int(np.abs(seconds - second).argmin())
            assert second == pytest.approx(seconds[index], abs=1e-6)
            assert number(picture) == number(squares[index])
            following = seconds[index + 1] if index + 1 < len(seconds) else np.inf
            assert seconds[index] - slack <= moment < following + slack


@pytest.mark.parametrize("name", FORMATS)
def test_every_frame_is_the_one_on_screen(clips, name: str) -> None:
    suffix, how = FORMATS[name]
    sound = None if suffix in (".gif", ".apng", ".mov", ".avi") else clips.tone(8)
    how = {"audio_codec": "libopus"} | how if suffix == ".webm" else how
    how = {"audio_codec": "mp2"} | how if suffix == ".mpg" else how
    path = clips.make(name.replace(" ", "-") + suffix, clips.paint(200), sound, **how)
    assert_frames_on_screen(sampled(path), path, clips.number)


@pytest.mark.parametrize(
    ("suffix", "how"),
    [
        (".h264", {"video_options": X264}),
        (".avi", {"video_options": X264}),
        (".avi", {"video_codec": "mpeg4", "video_options": {"g": "50", "bf": "2"}}),
    ],
)
def test_without_usable_time_stamps_frames_are_counted(clips, suffix: str, how: dict[str, Any]) -> None:
    path = clips.make(f"counted-{how.get('video_codec', 'h264')}{suffix}", clips.paint(200), **how)
    for sample in sampled(path).frames:
        assert [clips.number(frame) for frame in sample.frames] == (sample.seconds * 25).round().tolist()
    centres = sampled(path).frames[0]
    assert centres.seconds == pytest.approx(np.floor(segment_times(8.0, REQUEST, None) * 25) / 25)


DENSE = FrameRequest(sampling="dense", every=7, resize=64, crop=64, draws=DRAWS)
EACH = FrameRequest(sampling="all", max_frames=200, resize=64, crop=64)


# Under intra refresh a frame that is marked as a keyframe shows old columns for a while; every kth frame meets one.
@pytest.mark.parametrize("name", [name for name in FORMATS if name != "intra refresh"])
def test_dense_takes_every_kth_frame_and_all_takes_each(clips, name: str) -> None:
    suffix, how = FORMATS[name]
    sound = None if suffix in (".gif", ".apng", ".mov", ".avi") else clips.tone(8)
    how = {"audio_codec": "libopus"} | how if suffix == ".webm" else how
    how = {"audio_codec": "mp2"} | how if suffix == ".mpg" else how
    path = clips.make(name.replace(" ", "-") + suffix, clips.paint(200), sound, **how)
    seconds, squares = shown(path)
    numbers = [clips.number(square) for square in squares]
    for sample in sampled(path, DENSE).frames:
        found = [clips.number(frame) for frame in sample.frames]
        first = found[0]
        assert 0 <= first < 7
        assert found == numbers[first::7]
        assert sample.seconds == pytest.approx(seconds[first::7], abs=1e-6)
    each = sampled(path, EACH).frames[0]
    assert [clips.number(frame) for frame in each.frames] == numbers
    assert each.seconds == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize("suffix", [".h264", ".avi"])
def test_dense_counts_where_time_stamps_are_of_no_use(clips, suffix: str) -> None:
    path = clips.make(f"counted-h264{suffix}", clips.paint(200), video_options=X264)
    for sample in sampled(path, DENSE).frames:
        found = [clips.number(frame) for frame in sample.frames]
        assert found == list(range(200))[found[0] :: 7]


def test_dense_counts_frames_and_not_seconds(clips) -> None:
    seconds = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.4, 60))
    path = clips.make("variable.mp4", clips.paint(60), seconds=seconds.tolist(), video_options=X264)
    for sample in sampled(path, DENSE).frames:
        found = [clips.number(frame) for frame in sample.frames]
        assert found == list(range(60))[found[0] :: 7]
    assert [clips.number(frame) for frame in sampled(path, EACH).frames[0].frames] == list(range(60))


@pytest.mark.parametrize("sampling", ["dense", "all"])
def test_of_more_frames_than_the_cap_evenly_fewer_are_taken(clips, sampling: Literal["dense", "all"]) -> None:
    request = FrameRequest(sampling=sampling, every=2, max_frames=10, resize=64, crop=64, draws=DRAWS)
    for sample in sampled(clips.standard(), request).frames:
        found = [clips.number(frame) for frame in sample.frames]
        assert found == list(range(found[0], 200, 20))


def test_a_truncated_file_gives_every_kth_of_what_is_there(clips) -> None:
    whole = clips.standard(".mkv")
    path = clips.folder / "cut.mkv"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    found = [clips.number(frame) for frame in sampled(path, DENSE).frames[0].frames]
    assert found == list(range(found[0], found[-1] + 1, 7))
    assert 5 < len(found) < 25


def test_a_raw_stream_has_no_duration_until_it_is_read(clips) -> None:
    path = clips.make("raw.h264", clips.paint(100), video_options=X264)
    assert decode(path, DecodeRequest(), MediaSettings()).info.duration is None
    assert sampled(path).info.duration == pytest.approx(4)


def test_variable_frame_rate(clips) -> None:
    seconds = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.4, 60))
    path = clips.make("variable.mp4", clips.paint(60), seconds=seconds.tolist(), video_options=X264)
    times = seconds - seconds[0]
    for draw, sample in zip(DRAWS, sampled(path).frames, strict=True):
        numbers = [clips.number(frame) for frame in sample.frames]
        assert sample.seconds - sample.seconds[0] == pytest.approx(
            times[numbers] - times[numbers[0]], abs=1e-4
        )
        moments = segment_times(float(times[-1]) + 0.04, REQUEST, draw)
        on_screen = np.searchsorted(times, moments, side="right") - 1
        assert (
            np.abs(np.array(numbers) - on_screen).max() <= 1
        )  # the last frame's duration is the header's guess


def test_odd_sizes(clips) -> None:
    path = clips.make("odd.mp4", clips.paint(50, 33, 47), pixel_format="yuv444p", video_options=X264)
    media = sampled(path)
    assert (media.info.width, media.info.height) == (47, 33)
    assert [clips.number(frame) for frame in media.frames[0].frames] == [4, 12, 20, 29, 37, 45]


def test_fewer_frames_than_segments_are_repeated(clips) -> None:
    path = clips.make("short.gif", clips.paint(3), rate=10, video_codec="gif", pixel_format="rgb8")
    sample = sampled(path).frames[0]
    assert [clips.number(frame) for frame in sample.frames] == [0, 0, 1, 1, 2, 2]
    assert sample.seconds == pytest.approx([0, 0, 0.1, 0.1, 0.2, 0.2])


def test_a_picture_is_a_video_of_one_frame(clips) -> None:
    path = clips.make("still.png", clips.paint(1), video_codec="png", pixel_format="rgb24", rate=1)
    sample = sampled(path).frames[0]
    assert sample.frames.shape == (6, 64, 64, 3)
    assert (sample.frames == sample.frames[0]).all()


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_rotation_is_applied(clips, rotation: int) -> None:
    corners = np.zeros((10, 64, 96, 3), np.uint8)
    corners[:, :32, :48], corners[:, :32, 48:], corners[:, 32:, :48] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    path = clips.make(f"turned{rotation}.mp4", corners, rotation=rotation, video_options={"crf": "10"})
    media = sampled(path)
    expected = np.rot90(corners[0][:, 16:80], rotation // 90)
    assert np.abs(media.frames[0].frames[0].astype(int) - expected).mean() < 8
    assert media.info.rotation % 360 == rotation % 360
    assert (media.info.width, media.info.height) == ((96, 64) if rotation == 180 else (64, 96))


def test_a_long_video_gives_frames_of_every_part(clips) -> None:
    request = FrameRequest(frames=3, part_seconds=2.0, max_parts=3, resize=64, crop=64)
    sample = sampled(clips.standard(), request).frames[0]
    assert [clips.number(frame) for frame in sample.frames] == [11, 33, 55, 77, 100, 122, 144, 166, 188]


def test_a_draw_does_not_depend_on_the_others(clips) -> None:
    together = sampled(clips.standard()).frames
    for draw, sample in zip(DRAWS, together, strict=True):
        alone = sampled(clips.standard(), FrameRequest(frames=6, resize=64, crop=64, draws=(draw,))).frames[0]
        np.testing.assert_array_equal(alone.frames, sample.frames)
        np.testing.assert_array_equal(alone.seconds, sample.seconds)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".flv"])
def test_keyframes_are_the_ones_before_and_say_their_own_time(clips, suffix: str) -> None:
    path = clips.standard(suffix)
    request = FrameRequest(frames=6, resize=64, crop=64, exactness="keyframe")
    sample = sampled(path, request).frames[0]
    seconds, squares = shown(path)
    with av.open(str(path)) as container:
        origin = (container.start_time or 0) / av.time_base
        packets = [packet for packet in container.demux(video=0) if packet.is_keyframe and packet.size]
        keys = np.array([float(packet.pts * packet.time_base) - origin for packet in packets])
    exact = sampled(path, FrameRequest(frames=6, resize=64, crop=64)).frames[0].seconds
    assert sample.seconds == pytest.approx([keys[keys <= second + 1e-6].max() for second in exact])
    for second, picture in zip(sample.seconds, sample.frames, strict=True):
        assert clips.number(picture) == clips.number(squares[int(np.abs(seconds - second).argmin())])


def test_a_truncated_file_is_sampled_over_what_is_there(clips) -> None:
    whole = clips.standard(".mkv")
    path = clips.folder / "truncated.mkv"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    media = sampled(path)
    numbers = [clips.number(frame) for frame in media.frames[0].frames]
    assert len(set(numbers)) == 6
    assert numbers[-1] < 150
    assert any("end at" in warning for warning in media.warnings)


def test_damaged_packets_cost_their_pictures_only(clips) -> None:
    standard = clips.standard()
    with av.open(str(standard)) as container:
        keys = [packet.pts for packet in container.demux(video=0) if packet.is_keyframe]

    def spoil(packet: Any) -> bytes:
        second_group = packet.stream.type == "video" and keys[1] <= packet.pts < keys[2]
        return b"\xff" * packet.size if second_group else bytes(packet)

    media = sampled(clips.remux(standard, "spoiled.mp4", spoil))
    numbers = [clips.number(frame) for frame in media.frames[0].frames]
    intact = [clips.number(frame) for frame in sampled(standard).frames[0].frames]
    assert sum(a == b for a, b in zip(numbers, intact, strict=True)) >= 4
    assert any("damaged" in warning for warning in media.warnings)


def test_a_stream_longer_than_its_header_said_meets_the_cap(clips) -> None:
    path = clips.make("endless.mkv", clips.paint(200), container_options={"live": "1"}, video_options=X264)
    with pytest.raises(MediaError, match="lasts 8 s") as caught:
        decode(path, DecodeRequest(REQUEST), MediaSettings(max_seconds=5.0))
    assert caught.value.cause == "too-large"


def test_a_crop_larger_than_the_scaled_frame_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="crop"):
        FrameRequest(resize=64, crop=65)
