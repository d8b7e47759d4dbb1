"""Figure 4: sampling a few frames of long videos: right frames, and CPU time beside a floor and other readers.

    python benchmarks/sampling.py [--folder CACHE] [--repeats 3]

The files are made here: 20 s of 720p pictures (GOP 250, 25 frames per second) with a counter painted into them and
sound beside them are encoded once per codec, then repeated by remuxing to 10 s ... 2 h. A returned frame is right if
its time is that of the frame on screen at the moment asked for, and if it shows the counter that belongs to this time.

The floor is the least that a decoder must do for the same frames: from each keyframe the packets up to the last
frame wanted behind it, without the non-reference frames that nobody wants (H.264, HEVC); codec only, no demuxing, no
scaling. torchcodec and OpenCV hand over whole frames, TagTower scaled ones. All times are CPU time of this process
once the file is open, one decoder thread, the least of the repeats.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "threads;1")

import av
import numpy as np

from tagtower.config.sections import MediaSettings
from tagtower.media.frames import sample_frames
from tagtower.media.opening import OpenMedia, open_media
from tagtower.media.records import FrameRequest, SoundRequest
from tagtower.media.sampling import segment_times
from tagtower.media.sound import read_sound
from tagtower.media.write import write_clip

RATE, GOP = 25, 250
CYCLE = 2 * GOP
WIDTH, HEIGHT = 1280, 720
BITS = 10
SOUND_RATE = 48_000
LIMITS = MediaSettings()
FRAMES = 8
DRAWS = (None, 0, 1)
ROUNDING = 0.0015  # Matroska keeps milliseconds

CODEC_OPTIONS = {
    "libx264": {"preset": "veryfast", "crf": "28", "g": str(GOP), "x264-params": "open-gop=0:scenecut=0"},
    "libx265": {
        "preset": "ultrafast",
        "x265-params": f"keyint={GOP}:min-keyint={GOP}:open-gop=0:scenecut=0:bframes=3:log-level=none",
    },
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "g": str(GOP), "crf": "40", "b": "0"},
}


@dataclass(frozen=True)
class Case:
    """A file to make and to sample; `against_floor` where its container has an index or time stamps to seek by."""

    name: str
    seconds: int
    suffix: str = ".mp4"
    codec: str = "libx264"
    muxing: tuple[tuple[str, str], ...] = ()
    against_floor: bool = True


CASES = (
    Case("h264 mp4 10 s", 10),
    Case("h264 mp4 60 s", 60),
    # Not whole hours: the centres of their segments would all be keyframes.
    Case("h264 mp4 10 min", 597),
    Case("h264 mp4 1 h", 3581),
    Case("h264 mp4 2 h", 7181),
    Case("h264 mpeg-ts 5 min", 300, ".ts"),
    Case("hevc mp4 5 min", 300, codec="libx265"),
    Case("vp9 webm 5 min", 300, ".webm", codec="libvpx-vp9"),
    Case("h264 mkv 5 min", 300, ".mkv"),
    Case("h264 mkv, no cues 5 min", 300, ".mkv", muxing=(("live", "1"),), against_floor=False),
    Case(
        "h264 mp4, fragments 5 min",
        300,
        muxing=(("movflags", "frag_keyframe+empty_moov"),),
        against_floor=False,
    ),
)


# ---------------------------------------------------------------- files


def paint(frame: np.ndarray, texture: np.ndarray, number: int) -> None:
    """Drifting texture, and the number as a row of black and white squares inside the centre square."""
    frame[:] = np.roll(texture, (2 * number, 3 * number), axis=(0, 1))
    side, left = HEIGHT // BITS, (WIDTH - HEIGHT) // 2
    for bit in range(BITS):
        frame[HEIGHT // 2 :][:side, left + bit * side :][:, :side] = 255 * (number >> bit & 1)


def counter(square: np.ndarray) -> int:
    """The number painted into a centre square of any size."""
    side = len(square) / BITS
    row = square[int(len(square) / 2 + side / 4) : int(len(square) / 2 + side * 3 / 4)].mean(axis=(0, 2))
    return sum(int(row[int((bit + 0.5) * side)] > 128) << bit for bit in range(BITS))


def base_clip(folder: Path, codec: str) -> Path:
    path = folder / f"base-{codec}.mp4"
    if not path.exists():
        coarse = np.random.default_rng(0).integers(0, 255, (HEIGHT // 40, WIDTH // 40, 3), dtype=np.uint8)
        texture = av.VideoFrame.from_ndarray(coarse, format="rgb24").reformat(WIDTH, HEIGHT).to_ndarray()
        with tempfile.TemporaryFile(dir=folder) as room:
            frames = np.memmap(room, np.uint8, "w+", shape=(CYCLE, HEIGHT, WIDTH, 3))
            for number, frame in enumerate(frames):
                paint(frame, texture, number)
            time_axis = np.arange(CYCLE // RATE * SOUND_RATE) / SOUND_RATE
            tone = (0.3 * np.sin(2 * np.pi * 440 * time_axis)).astype(np.float32)
            options = CODEC_OPTIONS[codec]
            write_clip(path, frames, RATE, tone, SOUND_RATE, video_codec=codec, video_options=options)
    return path


def repeated(folder: Path, case: Case) -> Path:
    """The base clip of the codec, remuxed end to end until `case.seconds` are full."""
    path = folder / (case.name.replace(" ", "-").replace(",", "") + case.suffix)
    if path.exists():
        return path
    partial = path.with_name("partial" + case.suffix)
    cycle = Fraction(CYCLE, RATE)
    with av.open(str(base_clip(folder, case.codec))) as source:
        # WebM takes no AAC.
        streams = list(source.streams)[: 1 if case.suffix == ".webm" else 2]
        # Without the packets that prime the sound's decoder, and those behind the last frame.
        kept = [p for p in source.demux(streams) if p.size and 0 <= p.pts * p.time_base < cycle]
        stamped = [(p, p.pts, p.dts) for p in kept]
        with av.open(str(partial), "w", options=dict(case.muxing)) as target:
            copies = {stream.index: target.add_stream_from_template(stream) for stream in streams}
            for lap in range(-(-case.seconds // int(cycle))):
                for packet, pts, dts in stamped:
                    base = source.streams[packet.stream_index].time_base
                    shift = round(lap * cycle / base)
                    if (pts + shift) * base < case.seconds:
                        copy = av.Packet(bytes(packet))
                        copy.pts, copy.dts, copy.time_base = pts + shift, dts + shift, base
                        copy.is_keyframe, copy.stream = packet.is_keyframe, copies[packet.stream_index]
                        copy.duration = packet.duration
                        target.mux(copy)
    partial.replace(path)
    return path


# ---------------------------------------------------------------- readers


def cpu_seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def request(draws: tuple[int | None, ...] = (None,), size: tuple[int, int] = (256, 224)) -> FrameRequest:
    return FrameRequest(frames=FRAMES, max_parts=1, resize=size[0], crop=size[1], draws=draws)


def tagtower_cpu(path: Path) -> tuple[float, float]:
    """CPU seconds of opening, and of sampling once the file is open."""
    start = time.process_time()
    with open_media(path, LIMITS) as media:
        opened = time.process_time() - start
        return opened, cpu_seconds(lambda: sample_frames(media, request(), LIMITS))


def check_frames(path: Path) -> tuple[int, int, float]:
    """How many frames of all draws are right, how many were asked for, and the duration (s) that was sampled."""
    right = asked = 0
    with open_media(path, LIMITS) as media:
        assert media.pictures is not None
        first = float((media.pictures.start_time or 0) * media.pictures.time_base) - media.origin
        wanted = request(DRAWS, (HEIGHT, HEIGHT))
        pictures = sample_frames(media, wanted, LIMITS)
        for draw, got in zip(DRAWS, pictures.samples, strict=True):
            moments = segment_times(pictures.duration, wanted, draw)
            for moment, second, square in zip(moments, got.seconds - first, got.frames, strict=True):
                number = round(second * RATE)
                on_screen = -ROUNDING <= moment - number / RATE < 1 / RATE + ROUNDING
                asked += 1
                right += on_screen and counter(square) == number % CYCLE
    return right, asked, pictures.duration


def floor_cpu(path: Path, duration: float) -> float:
    with open_media(path, LIMITS) as media:
        assert media.pictures is not None
        start, base = media.pictures.start_time or 0, media.pictures.time_base
        moments = segment_times(duration, request(), None)
        targets = [start + int(float(moment) / float(base)) for moment in moments]
        runs = [run for gop in groups_of_pictures(media) if (run := needed(gop, targets))]
        codec = media.pictures.codec_context
        can_skip = codec.name in ("h264", "hevc")

        def decode() -> None:
            for run, wanted in runs:
                codec.flush_buffers()
                for packet in run:
                    codec.skip_frame = "NONREF" if can_skip and packet.pts not in wanted else "DEFAULT"
                    codec.decode(packet)
                codec.decode(None)

        return cpu_seconds(decode)


def groups_of_pictures(media: OpenMedia) -> Iterator[list[Any]]:
    assert media.pictures is not None
    packets = media.packets(media.pictures)
    group: list[Any] = []
    while (packet := packets.next()) is not None:
        if packet.is_keyframe and group:
            yield group
            group = []
        group.append(packet)
    yield group


def needed(group: list[Any], targets: Sequence[int]) -> tuple[list[Any], set[int]] | None:
    """The packets of a group up to the last frame that a target needs, and the times of those frames."""
    times = [packet.pts for packet in group]
    end = max(times) + min(b - a for a, b in zip(sorted(times), sorted(times)[1:], strict=False))
    wanted = {max(t for t in times if t <= target) for target in targets if min(times) <= target < end}
    return (group[: max(map(times.index, wanted)) + 1], wanted) if wanted else None


def torchcodec_cpu(path: Path, duration: float) -> float:
    from torchcodec.decoders import VideoDecoder

    decoder = VideoDecoder(str(path), num_ffmpeg_threads=1, seek_mode="approximate")
    begin = decoder.metadata.begin_stream_seconds or 0.0
    moments = [float(moment) + begin for moment in segment_times(duration, request(), None)]
    return cpu_seconds(lambda: decoder.get_frames_played_at(moments))


def opencv_cpu(path: Path, duration: float) -> float:
    import cv2

    cv2.setNumThreads(1)
    capture = cv2.VideoCapture(str(path))

    def read() -> None:
        for moment in segment_times(duration, request(), None):
            capture.set(cv2.CAP_PROP_POS_FRAMES, int(moment * RATE))
            capture.read()

    return cpu_seconds(read)


def sound_cpu(path: Path) -> float:
    with open_media(path, LIMITS) as media:
        return cpu_seconds(lambda: read_sound(media, SoundRequest()))


def least(repeats: int, measure: Callable[[], float]) -> float | None:
    """The least of several measurements, None where the reader cannot do it."""
    try:
        return min(measure() for _ in range(repeats))
    except Exception:
        return None


# ---------------------------------------------------------------- table


def ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1000 * seconds:.0f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "tagtower-sampling")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    passed: list[tuple[str, bool]] = []
    sampling: dict[str, float] = {}

    print(f"{FRAMES} frames per video; CPU ms; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(
        f"{'file':28} {'right':>7} {'open':>6} {'tagtower':>9} {'floor':>6} {'ratio':>6}  torchcodec opencv"
    )
    for case in CASES:
        path = repeated(arguments.folder, case)
        right, asked, duration = check_frames(path)
        ours, floors = [], []
        for _ in range(arguments.repeats):  # in turn, so that a busy moment hits both
            ours.append(tagtower_cpu(path))
            floors.append(floor_cpu(path, duration))
        opened, sampled, floor = min(o for o, _ in ours), min(s for _, s in ours), min(floors)
        sampling[case.name] = sampled
        others = (
            least(arguments.repeats, lambda path=path, duration=duration: torchcodec_cpu(path, duration)),
            least(1, lambda path=path, duration=duration: opencv_cpu(path, duration)),
        )
        print(
            f"{case.name:28} {right:>3}/{asked:<3} {ms(opened):>6} {ms(sampled):>9} "
            f"{ms(floor):>6} {sampled / floor:>6.2f} {ms(others[0]):>10} {ms(others[1]):>6}",
            flush=True,
        )
        passed.append((f"{case.name}: every frame right", right == asked))
        if case.against_floor:
            passed.append(
                (f"{case.name}: within 1.2x of the floor ({sampled / floor:.2f})", sampled <= 1.2 * floor)
            )
    growth = sampling["h264 mp4 2 h"] / sampling["h264 mp4 60 s"]
    passed.append((f"2 h within 1.5x of 60 s ({growth:.2f})", growth <= 1.5))

    short, long = (arguments.folder / f"h264-mp4-{length}.mp4" for length in ("60-s", "1-h"))
    sounds = [min(sound_cpu(path) for _ in range(arguments.repeats)) for path in (short, long)]
    print(f"sound at 16 kHz: 60 s {ms(sounds[0])} ms, 60 min {ms(sounds[1])} ms")
    passed.append(
        (f"sound: 60 min within 1.5x of 60 s ({sounds[1] / sounds[0]:.2f})", sounds[1] <= 1.5 * sounds[0])
    )

    for what, good in passed:
        print("pass" if good else "FAIL", what)
    return 0 if all(good for _, good in passed) else 1


if __name__ == "__main__":
    raise SystemExit(main())
