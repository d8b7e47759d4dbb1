"""How many videos a second a worker labels, against bare labelling of the same files in the same run.

    OMP_NUM_THREADS=1 python benchmarks/worker.py [--videos 80] [--rounds 8] [--engine sqlite]

Small real-codec clips with sound and a title, a model from scratch of the size that `tagtower demo` trains, no stored
features in either, opening the model not counted. Bare labelling ranks the same tags with evidence and writes nothing;
the worker leases, writes vectors, vectors of frames and suggestions, and changes shelves. The two take turns, each
first in every other round, and all rounds together count.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from data import machine
from kills import WORDS, database
from tagtower.config import load_settings
from tagtower.library.tags import TagLibrary
from tagtower.media.write import write_clip
from tagtower.records import Example, Tag, Video
from tagtower.towers import build_two_tower, save_model
from tagtower.usecases.installation import curate, models
from tagtower.usecases.installation.curate import Editing
from tagtower.usecases.installation.home import Installation, init, open_installation
from tagtower.usecases.installation.intake import Put, PutSettings, put_videos
from tagtower.usecases.installation.worker import run_worker
from tagtower.usecases.installation.worker_events import Event
from tagtower.usecases.label import Labelled, label
from tagtower.usecases.session import open_session

SHARE = 0.95
RATE, SECONDS = 12.0, 4


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--videos", type=int, default=80)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--engine", default="sqlite", choices=["sqlite", "postgresql"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        videos = make_clips(folder / "clips", arguments.videos)
        settings = load_settings("tiny", overrides=["train.threads=1"])
        save_model(folder / "model", build_two_tower(settings, WORDS, WORDS), WORDS, {}, "untrained")
        bare, worked, cpu = [], [], []
        for number in range(arguments.rounds):
            home = prepare(folder / f"round{number}", folder / "model", videos, arguments.engine)
            with home as installation:
                spent = {}
                for name in ("label", "worker") if number % 2 == 0 else ("worker", "label"):
                    start = cpu_seconds()
                    if name == "label":
                        bare.append(by_label(folder, videos))
                    else:
                        worked.append(by_worker(installation, len(videos)))
                    spent[name] = cpu_seconds() - start
            cpu.append((spent["label"], spent["worker"]))
            print(
                f"round {number + 1}: label {bare[-1]:.2f}, worker {worked[-1]:.2f} videos/s; "
                f"CPU {cpu[-1][0]:.1f} s and {cpu[-1][1]:.1f} s",
                flush=True,
            )
    bare_rate, worked_rate = (len(rates) / sum(1 / one for one in rates) for rates in (bare, worked))
    share = worked_rate / bare_rate
    effort = sum(one for one, _ in cpu) / sum(other for _, other in cpu)
    print(f"\nCPU of bare labelling over that of the worker, opening the model included: {effort:.2f}")
    print(
        f"{'ok  ' if share >= SHARE else 'MISS'} {arguments.engine}: the worker does {worked_rate:.2f} videos/s, "
        f"bare labelling {bare_rate:.2f}: {share:.2f} (at least {SHARE}); {arguments.videos} videos, {machine()}"
    )
    return int(share < SHARE)


def make_clips(folder: Path, count: int) -> list[Video]:
    """Clips of moving noise with a tone, and titles."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    times = np.arange(16_000 * SECONDS, dtype=np.float32) / 16_000
    videos = []
    for number in range(count):
        base = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        frames = [np.roll(base, step, 1).repeat(15, 0).repeat(20, 1) for step in range(int(RATE * SECONDS))]
        tone = np.sin(2 * np.pi * float(rng.uniform(100, 2000)) * times).astype(np.float32) * 0.4
        path = write_clip(folder / f"{number}.mp4", np.stack(frames), RATE, tone)
        videos.append(Video(f"v{number}", str(path), " ".join(rng.choice(WORDS, 5))))
    return videos


def by_label(folder: Path, videos: list[Video]) -> float:
    """Videos a second by labelling alone, opening the model not counted."""
    library = TagLibrary.from_tags(map(Tag, WORDS))
    with tempfile.TemporaryDirectory() as store, open_session(folder / "model", store=Path(store)) as session:
        session.orders.order(library)
        start = time.perf_counter()
        done = sum(isinstance(one, Labelled) for one in label(session, videos, library, top_k=20))
        assert done == len(videos)
        return done / (time.perf_counter() - start)


@contextmanager
def prepare(folder: Path, model: Path, videos: list[Video], engine: str) -> Iterator[Installation]:
    """An installation with a model, tags and unlabelled videos."""
    folder.mkdir()
    with database(folder, engine) as environment:
        init(folder / "home", environment=environment)
        with open_installation(folder / "home", environment=environment) as installation:
            models.add(installation, model)
            for word in WORDS:
                curate.add(installation, Editing("benchmark"), word)
            assert all(
                isinstance(one, Put) for one in put_videos(installation, map(Example, videos), PutSettings())
            )
            yield installation


def by_worker(installation: Installation, count: int) -> float:
    """Videos a second by a worker, from when its model is open."""
    began: list[float] = []

    def note(event: Event) -> None:
        if event.kind in ("model", "labelled"):
            began.append(time.perf_counter())

    report = run_worker(installation, once=True, threads=1, on_event=note)
    assert report.labelled == count, report
    return count / (began[-1] - began[0])


def cpu_seconds() -> float:
    """CPU time of this process and of its children that have ended."""
    return sum(
        one.ru_utime + one.ru_stime
        for one in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


if __name__ == "__main__":
    sys.exit(main())
