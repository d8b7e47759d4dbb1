"""Search in an installation's library of a million videos: by tag, by words, by both, and the tags of the page.

    python benchmarks/search.py [--videos 1000000] [--database FILE.sqlite] [--rounds 300]

Rows are made here: tags and words are drawn by Zipf's law, as they are in real libraries, so that one tag is on a
third of all videos and most are on a few. Each query is drawn as a person would: a tag or a word from a random
video, the first page or a later one. The database is kept where `--database` names a file, and used again.
"""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from tagtower.library.database import Database
from tagtower.library.migrate import upgrade
from tagtower.library.videos.find import Filter, find_ids
from tagtower.library.videos.shown import active_model_id, members_of, shown_tags
from tagtower.library.videos.words import asked_words

LIMIT_MS = 50.0
TAGS, SUGGESTED, VOCABULARY, TITLE_WORDS, TEXT_WORDS = 100_000, 10, 200_000, 8, 25
PAGE = 24
START = datetime(2020, 1, 1, tzinfo=UTC)
CHUNK = 20_000


def zipf(generator: np.random.Generator, count: int, most: int, exponent: float = 1.07) -> np.ndarray:
    """Numbers below `most`, small ones often."""
    weights = np.cumsum(1.0 / np.arange(1, most + 1) ** exponent)
    return np.searchsorted(weights / weights[-1], generator.random(count)).astype(np.int64)


def word(number: int) -> str:
    """A word of the vocabulary, in letters."""
    letters = ""
    number += 30
    while number:
        number, letter = divmod(number, 23)
        letters += "etaoinshrdlcumwfgypbvkx"[letter]
    return letters


def fill(path: Path, videos: int) -> None:
    """Write a library of so many videos, each with a title, a description, ten suggestions and a few verdicts."""
    with Database.file(path) as database:
        upgrade(database)
    generator = np.random.default_rng(0)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA cache_size=-500000")
    stamp = START.replace(tzinfo=None).isoformat(" ")
    connection.execute("BEGIN")
    connection.execute(
        "INSERT INTO models (id, name, folder, fingerprint, vector_fingerprint, width, distance, state, added_at) "
        "VALUES (1, 'bench', 'bench', 'f', 'f', 256, 'cosine', 'active', ?)",
        (stamp,),
    )
    connection.executemany(
        "INSERT INTO tags (id, text, state, origin, created_at, heat, suggestable, version) "
        "VALUES (?, ?, 'active', 'import', ?, 0, 1, 1)",
        ((tag + 1, f"tag {word(tag)}", stamp) for tag in range(TAGS)),
    )
    connection.executemany(
        "INSERT INTO tag_names (key, tag_id, text, place) VALUES (?, ?, ?, 0)",
        ((f"tag {word(tag)}", tag + 1, f"tag {word(tag)}") for tag in range(TAGS)),
    )
    for first in range(1, videos + 1, CHUNK):
        count = min(CHUNK, videos + 1 - first)
        titles = zipf(generator, count * TITLE_WORDS, VOCABULARY).reshape(count, -1)
        texts = zipf(generator, count * TEXT_WORDS, VOCABULARY).reshape(count, -1)
        tags = zipf(generator, count * SUGGESTED, TAGS).reshape(count, -1) + 1
        connection.executemany(
            "INSERT INTO videos (id, stored, title, description, added_at, shelf, shelved_at, attempts, words) "
            "VALUES (?, 0, ?, ?, ?, 'labelled', ?, 0, ?)",
            _video_rows(first, titles, texts),
        )
        connection.executemany(
            "INSERT OR IGNORE INTO suggestions (video_id, model_id, tag_id, rank, distance, score, origin, "
            "evidence, library_version, at) VALUES (?, 1, ?, ?, 0.2, 0.6, 'model', ?, 1, ?)",
            (
                (first + row, tag, rank, '{"modalities": [], "second": 12.5}', stamp)
                for row in range(count)
                for rank, tag in enumerate(tags[row].tolist(), start=1)
            ),
        )
        judged = np.flatnonzero(generator.random(count) < 0.1)
        connection.executemany(
            "INSERT OR IGNORE INTO verdicts (video_id, tag_id, verdict, author, at) VALUES (?, ?, ?, 'p', ?)",
            (
                (first + row, int(tags[row, place]), ("accept", "reject")[place % 2], stamp)
                for row in judged.tolist()
                for place in range(2)
            ),
        )
    connection.execute("COMMIT")
    connection.close()


def _video_rows(first: int, titles: np.ndarray, texts: np.ndarray) -> Iterator[tuple[object, ...]]:
    for row in range(len(titles)):
        title, text = (" ".join(map(word, part.tolist())) for part in (titles[row], texts[row]))
        at = (START + timedelta(minutes=first + row)).replace(tzinfo=None).isoformat(" ")
        yield first + row, title, text, at, at, " ".join(dict.fromkeys(f"{title} {text}".split()))


def measure(
    name: str, database: Database, rounds: int, make: Callable[[], Callable[[object], object]]
) -> bool:
    """Time a kind of query, print its figures, and return whether it keeps the limit."""
    times, busy = [], []
    for _ in range(rounds):
        ask = make()
        start, worked = time.perf_counter(), time.process_time()
        with database.read() as connection:
            ask(connection)
        times.append((time.perf_counter() - start) * 1000)
        busy.append((time.process_time() - worked) * 1000)
    middle, high, worst = np.percentile(times, [50, 95, 100])
    ok = high <= LIMIT_MS
    figures = f"{middle:8.1f} {high:8.1f} {worst:8.1f} {np.percentile(busy, 95):10.1f}"
    print(f"{name:38} {figures}  {'ok' if ok else 'MISS'}", flush=True)
    return ok


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--videos", type=int, default=1_000_000)
    parser.add_argument("--database", type=Path)
    parser.add_argument("--rounds", type=int, default=300)
    arguments = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, SQLite {sqlite3.sqlite_version}, one thread")
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.database or Path(folder) / "library.sqlite"
        if not path.exists():
            start = time.perf_counter()
            fill(path, arguments.videos)
            print(f"filled in {time.perf_counter() - start:.0f} s")
        print(f"{arguments.videos:,} videos, {path.stat().st_size / 1e9:.2f} GB")
        with Database.file(path) as database:
            return run(database, arguments.videos, arguments.rounds)


def run(database: Database, videos: int, rounds: int) -> int:
    generator = np.random.default_rng(1)

    def some_tag() -> str:
        return f"tag {word(int(zipf(generator, 1, TAGS)[0]))}"

    def some_word() -> str:
        return word(int(zipf(generator, 1, VOCABULARY)[0]))

    def below() -> int | None:
        return None if generator.random() < 0.7 else int(generator.integers(1, videos))

    def page(tags: list[str], words: str = "", **more: object) -> Callable[[object], object]:
        where = below()

        def ask(connection: object) -> object:
            model = active_model_id(connection)
            wanted = Filter(
                tags=tuple(members_of(connection, tag) for tag in tags),
                words=asked_words(words) if words else (),
                **more,
            )
            ids = find_ids(connection, wanted, model, below=where, limit=PAGE + 1)
            return shown_tags(connection, ids[:PAGE], model)

        return ask

    kinds: dict[str, tuple[bool, Callable[[], Callable[[object], object]]]] = {
        "a tag": (True, lambda: page([some_tag()])),
        "a tag, each as often as any": (True, lambda: page([f"tag {word(int(generator.integers(TAGS)))}"])),
        "a word": (True, lambda: page([], some_word())),
        "two words": (True, lambda: page([], f"{some_word()} {some_word()}")),
        "the beginning of a word": (
            True,
            lambda: page([], some_word()[: int(generator.integers(1, 6))] + "*"),
        ),
        "a tag and a word": (True, lambda: page([some_tag()], some_word())),
        "two tags": (True, lambda: page([some_tag(), some_tag()])),
        "a tag within a month": (
            False,
            lambda: page([some_tag()], **_month(generator, videos)),
        ),
        "a month": (False, lambda: page([], **_month(generator, videos))),
        "everything": (False, lambda: page([])),
        "the labelled shelf": (False, lambda: page([], shelf="labelled")),
    }
    print(
        f"{'a page of ' + str(PAGE) + ' with its tags (ms)':38} {'p50':>8} {'p95':>8} {'worst':>8} {'CPU p95':>10}"
    )
    missed = 0
    for name, (held, make) in kinds.items():
        ok = measure(name, database, rounds, make)
        missed += held and not ok
    return 1 if missed else 0


def _month(generator: np.random.Generator, videos: int) -> dict[str, object]:
    since = START + timedelta(minutes=int(generator.integers(videos)))
    return {"since": since, "until": since + timedelta(days=30)}


if __name__ == "__main__":
    raise SystemExit(main())
