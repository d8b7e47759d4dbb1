"""`tagtower worker`, `ledger` and `retry` from the command line: what they print, and how they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from tagtower.library import schema
from tagtower.records import Example, Video
from tagtower.usecases.installation import curate, models
from tagtower.usecases.installation.curate import Editing
from tagtower.usecases.installation.home import Installation, init, open_installation
from tagtower.usecases.installation.intake import PutSettings, put_videos


@pytest.fixture
def home(tmp_path, trained) -> Path:
    """An installation in a folder, with a model and tags."""
    init(tmp_path / "home", environment={})
    with open_installation(tmp_path / "home", environment={}) as opened:
        models.add(opened, trained, "first")
        for tag in ("red", "green", "low", "high", "music"):
            curate.add(opened, Editing("maria"), tag)
    return tmp_path / "home"


def hand_in(home: Path, *videos: Video) -> list[int]:
    with open_installation(home, environment={}) as opened:
        return [one.video_id for one in put_videos(opened, map(Example, videos), PutSettings())]


def lose_media(home: Path, video: int) -> None:
    with open_installation(home, environment={}) as opened:
        opened.media.remove(key_of(opened, video))


def key_of(opened: Installation, video: int) -> str:
    with opened.database.read() as connection:
        return str(connection.scalar(select(schema.videos.c.media).where(schema.videos.c.id == video)))


def test_it_labels_what_there_is_and_ends_with_0(home, job, tagtower):
    hand_in(home, Video("red", str(job.clips["red"]), "a walk"), Video("words", None, "music at the sea"))
    done = tagtower("worker", home, "--once", "--threads", 1, "--json")
    assert done.code == 0
    kinds = [line["event"] for line in done.lines]
    assert kinds[0] == "model"
    assert kinds.count("labelled") == 2
    assert done.lines[-1]["event"] == "ended"
    assert (done.lines[-1]["labelled"], done.lines[-1]["failed"]) == (2, 0)
    assert len(done.lines[1]["tags"]) == 5
    again = tagtower("worker", home, "--once", "--threads", 1)
    assert (again.code, again.out) == (0, "")
    assert "0 videos labelled" in again.err


def test_it_ends_with_1_where_some_failed_and_3_where_all_did(home, job, tagtower):
    first, second = hand_in(
        home, Video("red", str(job.clips["red"])), Video("green", str(job.clips["green"]))
    )
    lose_media(home, first)
    done = tagtower("worker", home, "--once", "--threads", 1)
    assert done.code == 1
    assert f"video {first}: The media file is no longer in the media store" in done.err
    assert done.out.startswith(f"{second}: ")
    assert tagtower("retry", home, "--type", "timeout", "--json").json["videos"] == 0
    assert tagtower("retry", home, "--type", "missing", "--json").json["videos"] == 1
    assert tagtower("worker", home, "--once", "--threads", 1, "--quiet").code == 3
    with open_installation(home, environment={}) as opened:
        opened.media.put(job.clips["red"], ".mp4")
    assert tagtower("retry", home, first).out == "1 videos are tried again\n"
    assert tagtower("worker", home, "--once", "--threads", 1).code == 0


def test_without_a_model_it_says_what_to_do(tmp_path, tagtower):
    init(tmp_path / "home", environment={})
    done = tagtower("worker", tmp_path / "home", "--once")
    assert done.code == 3
    assert "no active model" in done.err
    assert "tagtower models" in done.err


def test_no_installation_is_wrong_use(tmp_path, tagtower):
    for command in ("worker", "ledger", "retry"):
        done = tagtower(command, tmp_path)
        assert done.code == 2
        assert "tagtower init" in done.err


def test_the_ledger_shows_the_shelves_and_ends_with_1_where_it_does_not_balance(home, job, tagtower):
    (video,) = hand_in(home, Video("red", str(job.clips["red"])))
    tagtower("worker", home, "--once", "--threads", 1, "-q")
    done = tagtower("ledger", home, "--media")
    assert done.code == 0
    assert "It balances." in done.out
    assert tagtower("ledger", home, "--json").json["shelves"]["labelled"] == 1
    lose_media(home, video)
    done = tagtower("ledger", home, "--media")
    assert done.code == 1
    assert "It does not balance." in done.out
    assert f"{video} " in done.out
    assert tagtower("ledger", home, "--media", "--json").json["findings"][0]["kind"] == "media"


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_lets_it_write_what_is_finished_and_give_back_the_rest(home, number, code):
    hand_in(home, *(Video(f"v{one}", None, f"a walk number {one}") for one in range(400)))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "tagtower", "worker", str(home), "--threads", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout is not None
    seen = [process.stdout.readline() for _ in range(9)]  # the second batch has begun
    start = time.monotonic()
    process.send_signal(number)
    assert process.stderr is not None
    out, err = process.stdout.read(), process.stderr.read()  # communicate() would lose what was read ahead
    assert process.wait(timeout=60) == code, err
    assert time.monotonic() - start < 20
    labelled = len(seen) + len(out.splitlines())
    with open_installation(home, environment={}) as opened, opened.database.read() as connection:
        rows = connection.execute(select(schema.videos)).all()
        worker = connection.execute(select(schema.workers)).one()
    assert sum(row.shelf == "labelled" for row in rows) == labelled == worker.done
    assert all(row.lease_token is None and row.attempts == 0 for row in rows)
    assert worker.stopped_at is not None
