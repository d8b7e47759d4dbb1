from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from tagtower.errors import StorageError
from tagtower.media.write import write_clip


def test_frames_and_sound_come_back(clips, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", clips.paint(30), 10, clips.tone(3), title="A title")
    with av.open(str(path)) as container:
        assert container.metadata["title"] == "A title"
        frames = list(container.decode(video=0))
        assert [frame.time for frame in frames] == pytest.approx(np.arange(30) / 10)
        assert [clips.number(frame.to_ndarray(format="rgb24")[:, 16:80]) for frame in frames] == list(
            range(30)
        )
    with av.open(str(path)) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) == pytest.approx(
            3 * 16_000, abs=1024
        )


def test_pictures_and_sound_lie_beside_each_other_in_the_file(clips, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", clips.paint(100), 25, clips.tone(4))
    with av.open(str(path)) as container:
        kinds = [packet.stream.type for packet in container.demux() if packet.size]
    assert "audio" in kinds[:20]
    assert "video" in kinds[-20:]


def test_equal_clips_are_equal_bytes(clips, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (30, 64, 96, 3)).astype(np.uint8)
    written = {write_clip(tmp_path / f"{n}.mp4", noise, 25, clips.tone(1)).read_bytes() for n in range(12)}
    assert len(written) == 1


def test_nothing_to_write_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frames, a waveform"):
        write_clip(tmp_path / "a.mp4", None)


def test_every_frame_needs_its_time(clips, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="3 frames have 2"):
        write_clip(tmp_path / "a.mp4", clips.paint(3), seconds=[0.0, 1.0])


def test_a_folder_that_is_not_there_is_named(clips, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nowhere"):
        write_clip(tmp_path / "nowhere" / "a.mp4", clips.paint(3))


def test_a_failed_clip_leaves_nothing_behind(clips, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="no_such_codec"):
        write_clip(tmp_path / "a.mp4", clips.paint(3), video_codec="no_such_codec")
    assert list(tmp_path.iterdir()) == []
