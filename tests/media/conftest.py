"""Clips that PyAV encodes, each frame painted with its own number."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition

from tagtower.config.sections import MediaSettings
from tagtower.media.write import write_clip

BITS = 8


class Clips:
    """Makes clips in one folder, each once. Pictures are 96 x 64, 25 frames per second, unless said otherwise."""

    rate = 25

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def paint(self, count: int, height: int = 64, width: int = 96) -> np.ndarray:
        """Frames whose centre square shows their number, two rows of four black or white cells."""
        frames = np.full((count, height, width, 3), 128, np.uint8)
        side = min(height, width)
        square = frames[:, (height - side) // 2 :, (width - side) // 2 :][:, :side, :side]
        for bit, cell in enumerate(self._cells(square)):
            cell[:] = (255 * (np.arange(count) >> bit & 1)).astype(np.uint8)[:, None, None, None]
        return frames

    def number(self, square: np.ndarray) -> int:
        """The number that a square picture shows."""
        return sum((cell.mean() > 128) << bit for bit, cell in enumerate(self._cells(square[None])))

    def _cells(self, squares: np.ndarray) -> list[np.ndarray]:
        rows, columns = (np.linspace(0, squares.shape[1], n + 1).round().astype(int) for n in (2, 4))
        return [
            squares[:, rows[bit // 4] : rows[bit // 4 + 1], columns[bit % 4] : columns[bit % 4 + 1]]
            for bit in range(BITS)
        ]

    def tone(self, seconds: float, hertz: float = 440.0, rate: int = 16_000) -> np.ndarray:
        return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)

    def make(self, name: str, frames: np.ndarray | None, sound: np.ndarray | None = None, **how: Any) -> Path:
        path = self.folder / name
        if not path.exists():
            write_clip(path, frames, how.pop("rate", self.rate), sound, how.pop("sample_rate", 16_000), **how)
        return path

    def standard(self, suffix: str = ".mp4") -> Path:
        """Eight seconds of H.264 with B-frames, GOP 50, and a tone."""
        options = {"g": "50", "bf": "2", "preset": "veryfast"}
        return self.make(f"standard{suffix}", self.paint(200), self.tone(8), video_options=options)

    def remux(self, source: Path, name: str, change: Callable[[Any], bytes]) -> Path:
        """A copy whose packets hold other bytes."""
        path = self.folder / name
        with av.open(str(source)) as reading, av.open(str(path), "w") as writing:
            copies = {stream.index: writing.add_stream_from_template(stream) for stream in reading.streams}
            for packet in reading.demux():
                if packet.size:
                    copy = av.Packet(change(packet))
                    copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
                    copy.time_base, copy.is_keyframe = packet.time_base, packet.is_keyframe
                    copy.stream = copies[packet.stream_index]
                    writing.mux(copy)
        return path

    def with_cover(self, name: str, sound: np.ndarray) -> Path:
        """A sound file with a picture attached to it."""
        path = self.folder / name
        with av.open(str(path), "w") as container:
            voice = container.add_stream("aac", rate=16_000, layout="mono")
            cover = container.add_stream("mjpeg", rate=1)
            cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
            cover.disposition = Disposition.attached_pic
            picture = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 200, np.uint8), format="rgb24")
            container.mux(cover.encode(picture))
            frame = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 16_000, 0, Fraction(1, 16_000)
            container.mux(voice.encode(frame))
            container.mux(voice.encode(None))
        return path


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    return Clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="session")
def limits() -> MediaSettings:
    return MediaSettings()
