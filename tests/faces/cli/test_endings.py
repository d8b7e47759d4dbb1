"""Runs that end before their time, as processes of their own: signals, kills and full disks, and going on after."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tagtower.features.store import FeatureStore
from tagtower.media.write import write_clip
from tagtower.usecases.train import state_folder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def start(*arguments: object, limit_bytes: int | None = None) -> subprocess.Popen[str]:
    """Start a command; `limit_bytes` is the size that no file may pass, as on a full disk."""

    def prepare() -> None:
        signal.signal(
            signal.SIGINT, signal.SIG_DFL
        )  # ignored where the tests themselves run in the background
        if limit_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    return subprocess.Popen(
        [sys.executable, "-m", "tagtower", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=prepare,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def wait_until(true: Callable[[], bool], process: subprocess.Popen[str], seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines(keepends=True) if path.exists() else []


@pytest.fixture
def many_words(tmp_path) -> Path:
    rows = [{"id": f"w{number}", "title": f"walk {number}"} for number in range(800)]
    (tmp_path / "words.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path / "words.jsonl"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)], ids=str
)
def test_labelling_keeps_what_is_finished_and_goes_on(trained, job, many_words, tmp_path, number, code):
    out = tmp_path / "out.jsonl"
    command = ["label", trained, many_words, "--tags", job.tags, "--out", out, "--top-k", 1]
    process = start(*command)
    wait_until(lambda: len(lines(out)) > 5, process)
    process.send_signal(number)
    ended, _, err = finish(process)
    assert ended == code
    assert "Traceback" not in err
    kept = lines(out)
    assert 5 < len(kept) < 800
    if number != signal.SIGKILL:
        assert "interrupted; what was finished is kept" in err
        assert all(line.endswith("\n") for line in kept)
    ended, _, err = finish(start(*command, "--resume"))
    assert ended == 0, err
    assert lines(out)[: len(kept) - 1] == kept[:-1]
    assert [json.loads(line)["id"] for line in lines(out)] == [f"w{number}" for number in range(800)]


@pytest.mark.parametrize("delay", [0.05, 0.3, 1.0, 2.5])
def test_ctrl_c_while_the_program_is_still_starting(trained, job, tmp_path, delay):
    process = start("label", trained, job.folder / "clips", "--tags", job.tags, "--no-store")
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    ended, _, err = finish(process)
    assert ended in (130, -signal.SIGINT)
    assert "this is a bug" not in err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=str)
def test_training_ends_with_a_checkpoint_and_goes_on(job, tmp_path, number, code):
    rows = [
        {"title": f"{kind} number {count}", "tags": [kind], "split": "val" if count == 0 else "train"}
        for kind in ("walk", "song", "game")
        for count in range(12)
    ]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "t.txt").write_text("walk\nsong\ngame\n")
    settings = [
        *job.overrides,
        "image.encoder=none",
        "audio.frontend=none",
        "train.epochs=40",
        "train.patience=40",
    ]
    out = tmp_path / "model"
    command = ["train", tmp_path / "m.jsonl", "--tags", tmp_path / "t.txt", "--out", out, "--no-store"]
    command += [part for setting in settings for part in ("--set", setting)]
    process = start(*command)
    wait_until((state_folder(out) / "checkpoint.json").exists, process)
    process.send_signal(number)
    ended, _, err = finish(process)
    assert ended == code
    assert "interrupted; go on with --resume" in err
    assert not out.exists()
    ended, _, err = finish(start(*command, "--resume"))
    assert ended == 0, err
    assert (out / "config.json").exists()


@pytest.fixture
def many_clips(job, tmp_path) -> tuple[Path, list[str]]:
    """Eighty clips that all differ, and the command that trains on them with a store of its own."""
    noise = np.random.default_rng(0)
    rows = []
    for number in range(80):
        frames = noise.integers(0, 256, (4, 48, 64, 3), dtype=np.uint8)
        write_clip(tmp_path / f"{number}.mp4", frames, 4.0)
        rows.append(
            {"video": f"{number}.mp4", "tags": ["red"], "split": "val" if number % 8 == 0 else "train"}
        )
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    command = ["train", tmp_path / "m.jsonl", "--tags", job.tags, "--out", tmp_path / "model"]
    command += ["--store", tmp_path / "store"]
    command += [part for setting in (*job.overrides, "train.epochs=1") for part in ("--set", setting)]
    return tmp_path / "store" / "features.sqlite", list(map(str, command))


def entries(path: Path) -> int:
    store = FeatureStore(path)
    try:
        return store.size().entries
    finally:
        store.close()


def test_a_kill_while_features_are_extracted_loses_none_that_are_stored(many_clips, tmp_path):
    store, command = many_clips
    process = start(*command)
    wait_until(store.exists, process)
    wait_until(lambda: entries(store) > 12, process)
    process.kill()
    finish(process)
    kept = entries(store)
    assert kept < 80 * 3
    ended, _, err = finish(start(*command, "--resume"))
    assert ended == 0, err
    assert entries(store) > kept
    assert (tmp_path / "model" / "config.json").exists()


def test_ctrl_c_while_features_are_extracted_ends_at_once(many_clips):
    store, command = many_clips
    process = start(*command)
    wait_until(store.exists, process)
    wait_until(lambda: entries(store) > 12, process)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    ended, _, err = finish(process)
    assert ended == 130
    assert "Traceback" not in err
    assert time.monotonic() - began < 15


def test_a_full_disk_while_features_are_extracted(many_clips, tmp_path):
    store, command = many_clips
    ended, _, err = finish(start(*command, limit_bytes=250_000))
    assert ended == 3
    assert str(store) in err
    assert "free some space" in err
    assert "Traceback" not in err
    ended, _, err = finish(start(*command, "--resume"))
    assert ended == 0, err


def test_a_full_disk_while_answers_are_written(trained, job, many_words, tmp_path):
    out = tmp_path / "out.jsonl"
    command = ["label", trained, many_words, "--tags", job.tags, "--out", out, "--no-store", "--all"]
    ended, _, err = finish(start(*command, limit_bytes=400_000))
    assert ended == 3
    assert str(out) in err
    assert "go on with --resume" in err
    assert "Traceback" not in err
    ended, _, err = finish(start(*command, "--resume"))
    assert ended == 0, err
    assert len(lines(out)) == 800
