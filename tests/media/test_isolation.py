from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tagtower.config.sections import MediaSettings
from tagtower.errors import MediaError
from tagtower.media import isolation
from tagtower.media.decode import decode
from tagtower.media.isolation import Decoder
from tagtower.media.records import DecodeRequest, FrameRequest, SoundRequest

BOTH = DecodeRequest(FrameRequest(frames=4, resize=64, crop=64, draws=(None, 0)), SoundRequest())

READY = r"""
import json, os, struct, sys, time
def say(message):
    data = json.dumps({**message, "arrays": []}).encode()
    sys.stdout.buffer.write(struct.pack("<I", len(data)) + data); sys.stdout.buffer.flush()
def hear():
    (length,) = struct.unpack("<I", sys.stdin.buffer.read(4)); return json.loads(sys.stdin.buffer.read(length))
say({"ready": True})
"""


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(MediaSettings(), workers=1) as decoder:
        yield decoder


def child_that(does: str, monkeypatch: pytest.MonkeyPatch) -> Decoder:
    """A decoder whose child is a small program instead."""
    popen = subprocess.Popen

    def start() -> subprocess.Popen[bytes]:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        return popen([sys.executable, "-c", READY + does], **pipes)

    monkeypatch.setattr(isolation, "_start", start)
    return Decoder(MediaSettings(deadline_seconds=1.0), workers=1)


def processes(decoder: Decoder) -> list[int]:
    return [child._process.pid for child in decoder._children if child._process is not None]


def test_the_same_as_in_this_process(decoder: Decoder, clips) -> None:
    apart = decoder.decode(clips.standard(), BOTH)
    here = decode(clips.standard(), BOTH, MediaSettings())
    assert apart.info == here.info
    for one, other in zip(apart.frames, here.frames, strict=True):
        np.testing.assert_array_equal(one.frames, other.frames)
        np.testing.assert_array_equal(one.seconds, other.seconds)
    assert apart.sound is not None
    assert here.sound is not None
    np.testing.assert_array_equal(apart.sound.waveform, here.sound.waveform)


def test_a_child_is_used_again_also_after_a_bad_file(decoder: Decoder, clips, tmp_path: Path) -> None:
    decoder.probe(clips.standard())
    before = processes(decoder)
    with pytest.raises(MediaError, match=r"none\.mp4: does not exist") as caught:
        decoder.decode(tmp_path / "none.mp4", BOTH)
    assert caught.value.cause == "missing"
    assert decoder.probe(clips.standard()).has_pictures
    assert processes(decoder) == before


def test_a_child_that_died_between_files_is_replaced(decoder: Decoder, clips) -> None:
    decoder.probe(clips.standard())
    (pid,) = processes(decoder)
    os.kill(pid, signal.SIGKILL)
    assert decoder.probe(clips.standard()).has_pictures
    assert processes(decoder) != [pid]


def test_no_child_is_left_behind(clips) -> None:
    with Decoder(MediaSettings(), workers=1) as decoder:
        decoder.probe(clips.standard())
        (pid,) = processes(decoder)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_threads_share_the_children(clips) -> None:
    with Decoder(MediaSettings(), workers=2) as decoder, ThreadPoolExecutor(6) as pool:
        results = list(pool.map(lambda _: decoder.decode(clips.standard(), BOTH), range(12)))
        assert len(processes(decoder)) == 2
    for result in results[1:]:
        np.testing.assert_array_equal(result.frames[0].frames, results[0].frames[0].frames)


def test_past_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    with child_that("hear(); time.sleep(60)", monkeypatch) as decoder:
        start = time.monotonic()
        with pytest.raises(MediaError, match=r"slow\.mp4: took longer than 1 s") as caught:
            decoder.probe("slow.mp4")
    assert caught.value.cause == "timeout"
    assert time.monotonic() - start < 20


def test_a_child_that_stalls_in_the_middle_of_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = child_that("hear(); os.write(1, b'\\x10'); time.sleep(60)", monkeypatch)
    with decoder, pytest.raises(MediaError) as caught:
        decoder.probe("slow.mp4")
    assert caught.value.cause == "timeout"


def test_a_child_that_crashes(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = child_that("hear(); os.kill(os.getpid(), 11)", monkeypatch)
    with decoder, pytest.raises(MediaError, match=r"bad\.mp4: .*process \(SIGSEGV\)") as caught:
        decoder.probe("bad.mp4")
    assert caught.value.cause == "crash"


@pytest.mark.parametrize("answer", ["os.write(1, b'garbage' * 9)", "say({'nothing': 1}); hear()"])
def test_a_child_that_talks_nonsense(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with child_that(f"hear(); {answer}", monkeypatch) as decoder, pytest.raises(MediaError) as caught:
        decoder.probe("bad.mp4")
    assert caught.value.cause == "crash"


def test_the_next_file_is_not_blamed_for_what_earlier_ones_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    info = dict.fromkeys(isolation.MediaInfo.__dataclass_fields__) | {"path": "b.mp4"}
    info |= {"width": 0, "height": 0, "rotation": 0, "has_pictures": True, "has_sound": True}
    good = {"info": info, "warnings": [], "sound": None}
    does = f"hear(); say({good!r}); hear(); os.abort()"
    with child_that(does, monkeypatch) as decoder:
        assert decoder.probe("a.mp4").has_pictures
        assert decoder.probe("b.mp4").has_pictures


def test_a_child_that_cannot_start_is_no_fault_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "_MODULE", "tagtower.media.no_such_module")
    with (
        Decoder(MediaSettings(), workers=1) as decoder,
        pytest.raises(RuntimeError, match="before its first file"),
    ):
        decoder.probe("a.mp4")


@pytest.mark.skipif(sys.platform != "linux", reason="the memory limit needs Linux")
def test_more_memory_than_allowed(clips) -> None:
    big = clips.make("big.mp4", np.zeros((2, 4096, 8192, 3), np.uint8), video_options={"preset": "ultrafast"})
    with Decoder(MediaSettings(memory_mb=300), workers=1) as decoder:
        with pytest.raises(MediaError) as caught:
            decoder.decode(big, BOTH)
        assert caught.value.cause in ("memory", "damaged")  # the codec may report the one as the other
        assert decoder.decode(clips.standard(), BOTH).frames
    with Decoder(MediaSettings(memory_mb=100), workers=1) as decoder, pytest.raises(MediaError) as caught:
        decoder.decode(clips.standard(), BOTH)
    assert caught.value.cause == "memory"


def test_an_interrupted_wait_leaves_no_answer_for_the_next_file(
    clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with Decoder(MediaSettings(), workers=1) as decoder:
        decoder.probe(clips.standard())
        with monkeypatch.context() as patch:
            patch.setattr(isolation, "read_message", interrupted)
            with pytest.raises(KeyboardInterrupt):
                decoder.probe(clips.standard())
        assert decoder.probe(clips.standard()).has_pictures


def test_children_import_no_torch() -> None:
    code = "import sys, tagtower.media.child; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_child_ends_with_its_parent(clips) -> None:
    code = (
        "import sys; from tagtower.media.isolation import Decoder; from tagtower.config.sections import MediaSettings\n"
        "d = Decoder(MediaSettings(), 1); d.probe(sys.argv[1])\n"
        "print(d._children[0]._process.pid, flush=True); import os; os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(clips.standard())], capture_output=True, text=True, check=False
    )
    pid = int(done.stdout)
    waited = threading.Event()
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            break
        if Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            break  # ended, and waits for an init process to fetch it
        waited.wait(0.1)
    else:
        pytest.fail("the child is still there")
