"""Large files into a real server: how much memory each way in takes, and what a server that is killed has kept.

    python benchmarks/big_uploads.py [--mib 1024] [--engine sqlite]

A playable file of that size is sent as the body of one request, as a form, and as a resumable upload, one after the
other. Then the server is ended by SIGKILL in the middle of an upload and again, with the worker, while videos are
labelled: the upload has to go on where it was, the whole has to have the SHA-256 of what was sent, and the ledger has
to balance. `tagtower serve` starts both again by itself.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil

from data import machine
from serving import MIB, Place, Served, memory, place, serving

MOST_MIB = 80.0
PIECE = 256 * 1024
BOUNDARY = b"----tagtower-benchmark"
SETTINGS = """
[worker]
lease_seconds = 6
batch = 4
idle_seconds = 0.2
"""


class Large:
    """A clip of a given size whose end is a box that players skip; it is made while it is sent."""

    def __init__(self, made: Place, size: int) -> None:
        head = made.clips.base
        self.size = size
        self._head = head + made.clips.tail(size - len(head) - 16)

    def pieces(self, start: int = 0) -> Iterator[bytes]:
        """Yield it from a byte on."""
        if start < len(self._head):
            yield self._head[start:]
            start = len(self._head)
        zeros = bytes(PIECE)
        while start < self.size:
            yield zeros[: min(PIECE, self.size - start)]
            start += PIECE

    def sha256(self) -> str:
        """Return its hash."""
        digest = hashlib.sha256()
        for piece in self.pieces():
            digest.update(piece)
        return digest.hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--engine", choices=["sqlite", "postgresql"], default="sqlite")
    arguments = parser.parse_args()
    print(machine())
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        for what, good in run(Path(folder), arguments.engine, arguments.mib * MIB, videos=200):
            missed |= not good
            print(f"{'ok  ' if good else 'MISS'} {what}", flush=True)
    return int(missed)


def run(folder: Path, engine: str, size: int, *, videos: int) -> Iterator[tuple[str, bool]]:
    """Yield what was found, and whether it is as it should be."""
    with (
        place(folder, engine, terminals=1, labelled=4, waiting=videos, settings=SETTINGS) as made,
        serving(made, "--no-worker") as served,
    ):
        served.ready()
        time.sleep(2)
        for name, way in (("one body", whole), ("a form", form), ("a resumable upload", resumable)):
            start = time.monotonic()
            with client(served, made) as asking, watched(served) as peak:
                way(asking, Large(made, size))
            yield (
                (
                    f"{name} of {size / MIB:.0f} MiB: {peak[0]:.0f} MiB of anonymous memory above idle (at most "
                    f"{MOST_MIB:.0f}), {size / MIB / (time.monotonic() - start):.0f} MiB/s, "
                    f"load average {os.getloadavg()[0]:.1f}"
                ),
                peak[0] <= MOST_MIB,
            )
    yield from killed(made, size)


def killed(made: Place, size: int) -> Iterator[tuple[str, bool]]:
    """Kill the server in the middle of an upload, then server and worker in the middle of labelling."""
    with serving(made) as served:
        served.ready()
        large, uploads = Large(made, size), made.home / "uploads"
        with client(served, made) as asking:
            path = asking.post("/v1/videos/uploads", json={"length": size}).headers["Location"]
            with suppress(httpx.HTTPError):
                asking.patch(path, headers={"Upload-Offset": "0"}, content=broken(served, large, uploads))
            served.ready()
            offset = int(asking.head(path).headers["Upload-Offset"])
            yield f"killed in mid-upload, {offset:,} of {size:,} bytes are kept", 0 < offset < size
            sent = asking.patch(
                path, headers={"Upload-Offset": str(offset)}, content=large.pieces(offset), timeout=600
            )
            about = {"sha256": large.sha256(), "filename": "large.mp4", "title": "sun moon"}
            done = asking.post(f"{path}/complete", json=about, timeout=600)
            yield (
                f"it went on there and is whole ({sent.status_code}, {done.status_code})",
                done.status_code == 201,
            )
        kill(served, "worker", "serve-http")
        labelled = made.labelled_by(600)
        served.ready()
    faults = made.faults()
    shelves = made.shelves()
    counts = ", ".join(f"{shelves[name]} {name}" for name in ("labelled", "unlabelled", "failed"))
    text = f"killed in mid-label: {counts}"
    yield f"{text}; {'; '.join(faults) or 'the ledger balances'}", labelled and not faults


def broken(served: Served, large: Large, uploads: Path) -> Iterator[bytes]:
    """Yield half of a file and kill the server."""
    sent = 0
    for piece in large.pieces():
        yield piece
        sent += len(piece)
        if sent > large.size // 2:
            # What was sent may still lie in buffers of the system: there is nothing to lose before some is written.
            end = time.monotonic() + 60
            while not any(one.stat().st_size for one in uploads.glob("*.part")) and time.monotonic() < end:
                time.sleep(0.02)
            kill(served, "serve-http")
            return


def kill(served: Served, *commands: str) -> None:
    """End children by SIGKILL."""
    for command in commands:
        end = time.monotonic() + 60
        while (child := served.child(command)) is None and time.monotonic() < end:
            time.sleep(0.05)
        if child is not None:
            with suppress(psutil.Error):
                child.kill()


@contextmanager
def client(served: Served, made: Place) -> Iterator[httpx.Client]:
    """A client with a key."""
    headers = {"Authorization": f"Bearer {made.keys[0]}"}
    with httpx.Client(base_url=served.url, headers=headers, timeout=600) as one:
        yield one


@contextmanager
def watched(served: Served) -> Iterator[list[float]]:
    """Give the most anonymous memory above that at the beginning (MiB), looked at twenty times a second."""
    server = served.child("serve-http")
    before, peak, ended = memory(server)[1], [0.0], threading.Event()

    def look() -> None:
        while not ended.wait(0.05):
            peak[0] = max(peak[0], memory(server)[1] - before)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


def whole(asking: httpx.Client, large: Large) -> None:
    """Send it as the body of one request."""
    headers = {"Content-Length": str(large.size)}
    taken = asking.post("/v1/videos", params={"filename": "l.mp4"}, headers=headers, content=large.pieces())
    assert taken.status_code == 201, taken.text


def form(asking: httpx.Client, large: Large) -> None:
    """Send it in a form."""

    def parts() -> Iterator[bytes]:
        yield b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="title"\r\n\r\nsun\r\n'
        yield b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="file"; filename="l.mp4"\r\n'
        yield b"Content-Type: video/mp4\r\n\r\n"
        yield from large.pieces()
        yield b"\r\n--" + BOUNDARY + b"--\r\n"

    kind = {"Content-Type": "multipart/form-data; boundary=" + BOUNDARY.decode()}
    taken = asking.post("/v1/videos", headers=kind, content=parts())
    assert taken.status_code == 201, taken.text


def resumable(asking: httpx.Client, large: Large) -> None:
    """Send it in pieces of 64 MiB."""
    path = asking.post("/v1/videos/uploads", json={"length": large.size}).headers["Location"]
    offset, step = 0, 64 * MIB
    while offset < large.size:
        most = min(step, large.size - offset)
        taken = asking.patch(
            path, headers={"Upload-Offset": str(offset)}, content=_first(large, offset, most)
        )
        assert taken.status_code == 204, taken.text
        offset += most
    done = asking.post(f"{path}/complete", json={"filename": "l.mp4"})
    assert done.status_code == 201, done.text


def _first(large: Large, start: int, most: int) -> Iterator[bytes]:
    for piece in large.pieces(start):
        yield piece[:most]
        most -= len(piece)
        if most <= 0:
            return


if __name__ == "__main__":
    sys.exit(main())
