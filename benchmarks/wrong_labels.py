"""What wrong labels cost each loss: training tags of real titles are replaced at random, the test's are left alone.

    TAGTOWER_BENCH_DATA=FOLDER python benchmarks/wrong_labels.py [--shares 0 0.2 0.4] [--epochs 4] [--losses ...]

Prints nDCG@10 on the test split for each loss and each share of wrong training labels, and how much of what clean
labels teach (the gain over the untrained model) is still learnt.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from data import data_folder, machine
from losses import LOSSES, title_settings
from models import Data, Run, trained, untrained, verdict
from tagtower.library.tagfile import read_tag_library
from tagtower.records import Example, Problems

KEPT = {0.2: 0.8, 0.4: 0.6}
"""The floor of the share of the gain that is still learnt: no less than the share of labels that are right."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shares", nargs="*", type=float, default=[0.0, 0.2, 0.4])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--losses", nargs="*", default=list(LOSSES), choices=LOSSES)
    parser.add_argument("--store", type=Path, help="a feature store to keep; default one that is thrown away")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    folder = data_folder() / "data" / "titles"
    data = Data(folder / "manifest.jsonl", folder / "tags.txt")
    rows, texts = data.examples(), read_tag_library(data.tags, Problems()).texts
    shares = arguments.shares
    print(f"data/titles, title only, test split, 1 seed, {arguments.epochs} epochs; {machine()}")
    print("nDCG@10".ljust(10) + "".join(f"{share:>10.0%}" for share in shares) + "  wrong training labels")
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as thrown_away:
        store = arguments.store or Path(thrown_away)
        floor = _ndcg(untrained(data, title_settings("softmax"), store))
        print(f"{'untrained':10}{floor:10.3f}", flush=True)
        for loss in arguments.losses:
            settings = title_settings(loss, f"train.epochs={arguments.epochs}", overrides=arguments.overrides)
            found[loss] = [
                _ndcg(trained(data, settings, store, examples=corrupted(rows, texts, share)))
                for share in shares
            ]
            print(f"{loss:10}" + "".join(f"{value:10.3f}" for value in found[loss]), flush=True)
    for loss, values in found.items():
        for share, value in zip(shares, values, strict=True):
            if share in KEPT and shares[0] == 0:
                kept = (value - floor) / (values[0] - floor)
                print(verdict(f"{loss}, share of the gain kept with {share:.0%} wrong", kept, KEPT[share]))


def corrupted(rows: Sequence[Example], texts: Sequence[str], share: float) -> list[Example]:
    """Return the rows with that share of all training tags replaced, each by any tag of the library but its own."""
    draw = np.random.default_rng(0)

    def wrong(row: Example) -> Example:
        if row.split != "train":
            return row
        others = [texts[place] for place in draw.integers(0, len(texts), len(row.tags))]
        replaced = draw.random(len(row.tags)) < share
        tags = (
            other if swap and other not in row.tags else tag
            for tag, other, swap in zip(row.tags, others, replaced, strict=True)
        )
        return replace(row, tags=tuple(dict.fromkeys(tags)))

    return [wrong(row) for row in rows]


def _ndcg(run: Run) -> float:
    return next(iter(run.evaluations.values())).result.all.ndcg_at_10 or 0.0


if __name__ == "__main__":
    main()
