"""Which spectra and which network hear city sounds best: one model each, all else as in `sounds.py`.

    TAGTOWER_BENCH_DATA=FOLDER python benchmarks/ablation_sounds.py [--split test] [--only mfcc cqt ...]

Trains on three quarters of the recordings of `train` and asks about the rest, so that what is chosen by it can still
be tested; `--split test` trains on all of `train` and asks about `test`. Prints recall@1, the width of a step and
seconds.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from data import data_folder, machine
from models import Data, spread, trained
from sounds import settings
from tagtower.features.spectra import Spectra
from tagtower.records import Example
from tagtower.storage.hashing import hash_text
from tagtower.training.splits import group_of

VARIANTS = {
    "mfcc": ["audio.frontend=mfcc"],
    "mel": ["audio.frontend=mel"],
    "stft": ["audio.frontend=stft"],
    "dct": ["audio.frontend=dct"],
    "dwt": ["audio.frontend=dwt"],
    "cqt": ["audio.frontend=cqt"],
    "mfcc,flatness": ["audio.frontend=mfcc,flatness"],
    "mfcc,dwt": ["audio.frontend=mfcc,dwt"],
    "mfcc,cqt": ["audio.frontend=mfcc,cqt"],
    "cnn": ["audio.network=cnn"],
    "gru": ["audio.network=gru"],
}
"""Spectra under the network of `sounds.py`, then networks under its spectra."""

FOLDS = 4


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--split", choices=["train", "test"], default="train")
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS), metavar="NAME")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    folder = data_folder() / "data" / "sounds"
    data = Data(folder / "manifest.jsonl", folder / "tags.txt")
    rows = data.examples()
    examples = rows if arguments.split == "test" else held_out(rows)
    print(f"data/sounds, recall@1 on {arguments.split}, {arguments.seeds} seeds; {machine()}")
    with tempfile.TemporaryDirectory() as store:
        for name in arguments.only:
            found, seconds = [], []
            for seed in range(arguments.seeds):
                chosen = settings([*VARIANTS[name], *arguments.overrides], seed)
                run = trained(data, chosen, Path(store), examples=examples)
                found.append(run.evaluations["image+audio+text"].result.all.recall_at_1 or 0.0)
                seconds.append(run.train_seconds)
            width = Spectra(chosen.audio).width
            print(f"{name:16} {spread(found)}   width {width:4}   {np.mean(seconds):4.0f} s", flush=True)


def held_out(rows: Sequence[Example]) -> list[Example]:
    """Return the training rows, a quarter of each class's recordings as `test`, chosen by a hash of the recording."""
    training = [row for row in rows if row.split == "train"]
    groups: dict[str, set[str]] = {}
    for row in training:
        groups.setdefault(row.tags[0], set()).add(group_of(row))
    asked = {
        group
        for found in groups.values()
        for group in sorted(found, key=hash_text)[: max(1, len(found) // FOLDS)]
    }
    return [replace(row, split="test" if group_of(row) in asked else "train") for row in training]


if __name__ == "__main__":
    main()
