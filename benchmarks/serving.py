"""A `tagtower serve` with a small model, keys and videos, as the benchmarks of the server start, watch and end it."""

from __future__ import annotations

import itertools
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import psutil

from kills import WORDS, database, prepare
from tagtower.media.write import write_clip
from tagtower.records import Example, Video
from tagtower.usecases.installation import keys
from tagtower.usecases.installation.home import Installation, init, open_installation
from tagtower.usecases.installation.intake import Put, PutSettings, put_videos
from tagtower.usecases.installation.ledger import check_ledger
from tagtower.usecases.installation.overview import overview
from tagtower.usecases.installation.worker import run_worker

READY_SECONDS = 120.0
MIB = 1024 * 1024


@dataclass
class Clips:
    """Small clips that a decoder takes for different ones: one clip, followed by a box that players skip."""

    base: bytes
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def next(self, padding: int = 0) -> bytes:
        """Return another clip."""
        return self.base + self.tail(padding)

    def tail(self, padding: int = 0) -> bytes:
        """Return what makes a clip another one; `padding` bytes that are still to come belong to its box."""
        return struct.pack(">I4sQ", 16 + padding, b"free", next(self.numbers) + time.time_ns())


@dataclass
class Place:
    """An installation that can be served: its folder, the environment it needs, and keys by name."""

    home: Path
    environment: dict[str, str]
    keys: list[str]
    clips: Clips

    @contextmanager
    def opened(self) -> Iterator[Installation]:
        """Open it beside the server."""
        with open_installation(self.home, environment=self.environment) as installation:
            yield installation

    def shelves(self) -> dict[str, int]:
        """Return how many videos stand where."""
        with self.opened() as installation:
            return dict(overview(installation).shelves.to_json())

    def labelled_by(self, seconds: float) -> bool:
        """Return whether no video is left to be labelled within so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.shelves()["unlabelled"] == 0:
                return True
            time.sleep(0.5)
        return False

    def faults(self) -> list[str]:
        """Return what does not balance."""
        with self.opened() as installation:
            found = check_ledger(installation, media=True).ledger.findings
        return [f"{one.count} {one.what}: {', '.join(one.examples)}" for one in found]


@contextmanager
def place(
    folder: Path, engine: str, *, terminals: int, labelled: int, waiting: int, settings: str = ""
) -> Iterator[Place]:
    """Make an installation with videos on both shelves, and a key for each terminal."""
    with database(folder, engine) as environment:
        home = folder / "home"
        init(home, environment=environment)
        with (home / "installation.toml").open("a") as file:
            file.write(settings)
        frames = np.random.default_rng(0).integers(0, 256, (12, 32, 48, 3), np.uint8)
        rng = np.random.default_rng(1)
        with open_installation(home, environment=environment) as installation:
            prepare(installation, folder)
            clips = Clips(write_clip(folder / "clips" / "base.mp4", frames, 6.0).read_bytes())
            for part, count in (("labelled", labelled), ("waiting", waiting)):
                examples = []
                for number in range(count):
                    path = folder / "clips" / f"{part}-{number}.mp4"
                    path.write_bytes(clips.next())
                    title = " ".join(rng.choice(WORDS, 5))
                    examples.append(Example(Video(f"{part}-{number}", str(path), title)))
                assert all(isinstance(one, Put) for one in put_videos(installation, examples, PutSettings()))
                if part == "labelled":
                    run_worker(installation, once=True, threads=1)
            made = [keys.create(installation, f"t{n}", "terminal").text for n in range(terminals)]
        yield Place(home, environment, made, clips)


@dataclass
class Served:
    """A running server: where it is, and its processes."""

    url: str
    process: subprocess.Popen[bytes]

    def child(self, command: str) -> psutil.Process | None:
        """Return the child that runs a command, `serve-http` or `worker`, None where there is none now."""
        try:
            for one in psutil.Process(self.process.pid).children():
                if command in one.cmdline():
                    return one
        except psutil.Error:
            pass
        return None

    def ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until it answers.

        Raises:
            TimeoutError: it does not.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        raise TimeoutError(f"{self.url} is not ready after {seconds:g} s")


@contextmanager
def serving(place: Place, *options: str, log: Path | None = None) -> Iterator[Served]:
    """Run `tagtower serve`, and end it by SIGTERM; its log goes to a file."""
    port = free_port()
    command = [sys.executable, "-m", "tagtower", "serve", str(place.home), "--port", str(port), *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **place.environment}
    log = log or place.home.parent / "serve.log"
    with log.open("ab") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
        try:
            yield Served(f"http://127.0.0.1:{port}", process)
        finally:
            process.terminate()
            process.wait(60)


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def memory(process: psutil.Process | None) -> tuple[float, float]:
    """Return resident and anonymous memory of a process (MiB), zeros where it is gone."""
    found = {"Rss": 0, "Anonymous": 0}
    if process is not None:
        try:
            for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
                name, _, rest = line.partition(":")
                if name in found:
                    found[name] = int(rest.split()[0])
        except OSError:
            pass
    return found["Rss"] / 1024, found["Anonymous"] / 1024
