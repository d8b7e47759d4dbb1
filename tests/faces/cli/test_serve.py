"""`tagtower serve` keeps its children running: what it does when they die, and how it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tagtower.faces.cli.serve import (
    BAD_USE,
    LONGEST_PAUSE_SECONDS,
    STEADY_SECONDS,
    YIELDING,
    Child,
    _supervise,
)

WAITS = ("sh", "-c", "echo started >> $0; trap 'echo asked >> $0; exit 0' TERM; while :; do sleep 0.02; done")
"""A child that notes that it was started and that it was asked to end, in the file that it is given."""


def ended(child: Child) -> None:
    """Wait until a child has ended, without noting it."""
    assert child.process is not None
    os.waitid(os.P_PID, child.process.pid, os.WEXITED | os.WNOWAIT)


def test_a_child_that_keeps_dying_is_started_again_after_growing_pauses() -> None:
    child, now, pauses = Child("worker", ["sh", "-c", "exit 7"]), 100.0, []
    for _ in range(9):
        child.look(now)
        ended(child)
        child.look(now + 0.1)
        assert child.process is None
        pauses.append(round(child.due - now - 0.1, 3))
        child.look(child.due - 0.01)
        assert child.process is None, "it is not started before its time"
        now = child.due
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, *[LONGEST_PAUSE_SECONDS] * 4]
    assert child.codes == [7] * 9


def test_a_child_that_lived_long_begins_with_the_first_pause_again() -> None:
    child = Child("worker", ["sh", "-c", "kill -9 $$"], pause=16.0)
    child.look(0.0)
    ended(child)
    child.look(STEADY_SECONDS + 1)
    assert child.codes == [-signal.SIGKILL]
    assert child.due == STEADY_SECONDS + 1.5


def test_the_worker_lets_the_server_have_the_processor_first(tmp_path: Path) -> None:
    child = Child("worker", [*WAITS, str(tmp_path / "log")], yields=True)
    child.look(0.0)
    try:
        nicer = os.getpriority(os.PRIO_PROCESS, child.process.pid) - os.getpriority(os.PRIO_PROCESS, 0)
        assert nicer == YIELDING
    finally:
        child.process.kill()
        child.process.wait()


def test_a_worker_that_dies_at_once_again_and_again_does_not_end_the_server(tmp_path: Path, capfd) -> None:
    log, died = tmp_path / "server.log", tmp_path / "worker.log"
    worker = Child("worker", ["sh", "-c", "echo died >> $0; exit 1", str(died)], pause=0.01)

    def ask_to_end() -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until and (not died.exists() or died.read_text().count("died") < 3):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=ask_to_end).start()
    code = _supervise([Child("server", [*WAITS, str(log)]), worker], lambda: None)
    assert code == 0
    assert log.read_text().split() == ["started", "asked"], "started once, and drained"
    assert len(worker.codes) >= 2
    assert "the worker ended with 1; it is started again in" in capfd.readouterr().err


def test_a_server_that_cannot_use_its_address_is_not_started_again(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    children = [Child("server", ["sh", "-c", f"exit {BAD_USE}"]), Child("worker", [*WAITS, str(log)])]
    assert _supervise(children, lambda: None) == BAD_USE
    assert children[0].codes == [BAD_USE]
    assert children[1].process is None or children[1].process.poll() is not None, "the worker has ended too"


@pytest.mark.slow
def test_an_address_that_is_taken_is_told_with_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "tagtower", "serve", str(tmp_path / "home"), "--port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == BAD_USE
    assert f"Nothing can listen at 127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="children outlive a supervisor that is killed elsewhere")
def test_children_end_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys; from tagtower.faces.cli.serve import Child, _supervise;"
        f"_supervise([Child('server', [*{WAITS!r}, sys.argv[1]])], lambda: None)"
    )
    log = tmp_path / "log"
    process = subprocess.Popen([sys.executable, "-c", script, str(log)])
    until = time.monotonic() + 60
    while not log.exists() and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.1)
    process.kill()
    process.wait()
    while "asked" not in log.read_text() and time.monotonic() < until:
        time.sleep(0.02)
    assert log.read_text().split() == ["started", "asked"]
