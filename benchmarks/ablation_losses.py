"""Every loss with every rule and scope of negatives that goes with it, on real titles: one table.

    TAGTOWER_BENCH_DATA=FOLDER python benchmarks/ablation_losses.py [--seeds 1] [--epochs 4] [--losses triplet ...]

Prints nDCG@10 on the test split (mean over seeds), the recall@10 of tags that never occur in training among the full
library, and the seconds of training, beside the model before training.
"""

from __future__ import annotations

import argparse
import tempfile
from itertools import product
from pathlib import Path

import numpy as np

from data import data_folder, machine
from losses import LOSSES, title_settings
from models import Data, Run, spread, trained, untrained
from tagtower.training.mining.compatibility import RULES_OF_LOSS, SCOPES_OF_LOSS


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--losses", nargs="*", default=list(LOSSES), choices=LOSSES)
    parser.add_argument("--store", type=Path, help="a feature store to keep; default one that is thrown away")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    folder = data_folder() / "data" / "titles"
    data = Data(folder / "manifest.jsonl", folder / "tags.txt")
    print(
        f"data/titles, title only, test split, {arguments.seeds} seeds, {arguments.epochs} epochs; {machine()}"
    )
    print(f"{'loss':8} {'rule':16} {'scope':8} {'nDCG@10':>14} {'new-tag recall@10':>18} {'train s':>8}")
    with tempfile.TemporaryDirectory() as thrown_away:
        store = arguments.store or Path(thrown_away)
        _row("", "untrained", "", [untrained(data, title_settings("softmax"), store)])
        for loss in arguments.losses:
            for rule, scope in product(RULES_OF_LOSS[loss], SCOPES_OF_LOSS[loss]):
                chosen = (
                    f"negatives.rule={rule}",
                    f"negatives.scope={scope}",
                    f"train.epochs={arguments.epochs}",
                )
                runs = [
                    trained(
                        data,
                        title_settings(loss, *chosen, f"train.seed={seed}", overrides=arguments.overrides),
                        store,
                    )
                    for seed in range(arguments.seeds)
                ]
                _row(loss, rule, scope, runs)


def _row(loss: str, rule: str, scope: str, runs: list[Run]) -> None:
    results = [next(iter(run.evaluations.values())).result for run in runs]
    print(
        f"{loss:8} {rule:16} {scope:8} {spread([one.all.ndcg_at_10 or 0 for one in results]):>14} "
        f"{spread([one.unseen_in_full.recall_at_10 or 0 for one in results]):>18} "
        f"{np.mean([run.train_seconds for run in runs]):8.0f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
