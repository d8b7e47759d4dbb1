"""New tags, and one video, held against every stored vector of an embedded installation: time and memory.

    python benchmarks/retro.py [--videos 1000000] [--width 256] [--keep FOLDER]

Vectors are made here, in clusters and of length one, and stored through the library as a worker does. A process of its
own then opens them and sweeps: its CPU time is that of the whole sweep, ids and exact distances included, and its
memory what it holds beyond what it held before, not counting pages of files, which the system takes back at will.
One thread.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from sqlalchemy import func, insert, select

from tagtower.index.sweep import Sweep
from tagtower.library.database import Database
from tagtower.library.migrate import upgrade
from tagtower.library.models import NewModel, add_model, find_model
from tagtower.library.schema import vectors as vector_rows
from tagtower.library.schema import videos
from tagtower.library.vectors import VectorStore, vector_store

AT = datetime(2025, 1, 1, tzinfo=UTC)
AT_ONCE = 20_000
CLUSTERS = 2_000
SPREAD = 0.8
ASKED, NEAREST, LIKENESS_MS = 40, 201, 300.0
LIMIT = 0.4
MOST = 10_000
AIMS = {1: 0.5, 64: 2.0}
"""Seconds of CPU for so many tags over a million vectors of width 256."""
AIM_MIB = 300


def made(rows: int, width: int, seed: int) -> np.ndarray:
    """Return vectors of length one, each near one of the clusters."""
    centres = np.random.default_rng(0).standard_normal((CLUSTERS, width), dtype=np.float32)
    random = np.random.default_rng(seed)
    found = centres[random.integers(CLUSTERS, size=rows)]
    found += SPREAD * random.standard_normal((rows, width), dtype=np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def store(folder: Path, count: int, width: int) -> None:
    """Make an installation's database with so many labelled videos and their vectors, or go on making it."""
    with Database.file(folder / "library.sqlite") as database:
        upgrade(database)
        kept = vector_store(database, folder / "vectors")
        with database.write() as connection:
            try:
                model = find_model(connection, "bench")
            except Exception:
                new = NewModel("bench", "bench", "m", "v", width, "cosine", {})
                model = add_model(connection, new, AT)
            done = connection.scalar(select(func.count()).select_from(vector_rows)) or 0
        start = time.perf_counter()
        for first in range(done, count, AT_ONCE):
            rows = min(AT_ONCE, count - first)
            ids = list(range(first + 1, first + rows + 1))
            with database.write() as connection:
                connection.execute(
                    insert(videos),
                    [{"id": one, "added_at": AT, "shelf": "labelled", "shelved_at": AT} for one in ids],
                )
                kept.add(connection, model.id, ids, made(rows, width, first + 1))
        if done < count:
            print(f"stored {count - done:,} vectors in {time.perf_counter() - start:.0f} s")


def anonymous_mib() -> float:
    """Memory of this process that is no file's (MiB)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


class Peak(threading.Thread):
    """Watches the memory while a sweep runs."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.mib = 0.0
        self.ended = threading.Event()

    def run(self) -> None:
        """Look every hundredth of a second."""
        while not self.ended.wait(0.01):
            self.mib = max(self.mib, anonymous_mib())


def measure(folder: Path, width: int) -> int:
    """Sweep one tag, then 64, and print what it took; return how many aims were missed."""
    missed = 0
    with Database.file(folder / "library.sqlite") as database:
        kept = vector_store(database, folder / "vectors")
        tags = made(64, width, 10**9)
        for count in (1, 64, 1, 64):
            idle = anonymous_mib()
            peak = Peak()
            peak.start()
            start, cpu = time.perf_counter(), time.process_time()
            sweep = Sweep(tags[:count], np.arange(count), "cosine", np.full(count, LIMIT), MOST)
            seen = 0
            with database.read() as connection:
                for ids, block in kept.blocks(connection, 1):
                    sweep(ids, block)
                    seen += len(ids)
            found = sweep.found()
            seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
            peak.ended.set()
            peak.join()
            above = max(0.0, peak.mib - idle)
            aim = AIMS[count] * seen / 1_000_000 * width / 256
            verdict = "ok  " if cpu <= aim and above <= AIM_MIB else "MISS"
            missed += verdict == "MISS"
            hits = [one.count for one in found]
            print(
                f"{verdict} {count:2} tag{'s' if count > 1 else ' '} over {seen:,} vectors: {cpu:.2f} s of CPU "
                f"(aim {aim:.2f}), {seconds:.2f} s, {above:.0f} MiB above idle (aim {AIM_MIB}); "
                f"{np.mean(hits):,.0f} hits a tag"
            )
        missed += likeness(database, kept, width, seen)
    return missed


def likeness(database: Database, kept: VectorStore, width: int, stored: int) -> int:
    """Look for the videos nearest to one, again and again, and print how long that took; return 1 where too long."""
    took = []
    for number in range(ASKED + 1):
        start = time.perf_counter()
        with database.read() as connection:
            (found,) = kept.nearest(connection, 1, made(1, width, 2 * 10**9 + number), NEAREST)
        took.append(time.perf_counter() - start)
        assert len(found.ids) == min(NEAREST, stored)
    p50, p95 = np.quantile(took[1:], (0.5, 0.95)) * 1000
    aim = LIKENESS_MS * stored / 1_000_000
    print(
        f"{'ok  ' if p95 <= aim else 'MISS'} {NEAREST} videos nearest to one of {stored:,}, exactly: p50 {p50:.0f} ms, "
        f"p95 {p95:.0f} ms (aim {aim:.0f})"
    )
    return int(p95 > aim)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--videos", type=int, default=1_000_000)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--keep", type=Path, help="keep the vectors in this folder, and find them there")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        return measure(arguments.measure, arguments.width)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        store(folder, arguments.videos, arguments.width)
        again = [sys.executable, __file__, "--measure", str(folder), "--width", str(arguments.width)]
        return subprocess.run(again, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
