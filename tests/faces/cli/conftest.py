"""An archive with everything odd that archives have, and what `tagtower start` says of it."""

from __future__ import annotations

import json
import shutil

import pytest

HOSTILE = "<b>&\"' red\nline"


@pytest.fixture(scope="module")
def archive(job, tmp_path_factory):
    """Named and nameless clips, hostile names, a damaged file, and files that are no media."""
    folder = tmp_path_factory.mktemp("archive")
    clip = job.clips["red-low"]
    for name in (f"{HOSTILE}.mp4", f"{'n' * 242} red.mp4", "IMG_0001.mp4", "Seaside/BlueSky2024.mp4"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(clip, folder / name)
    shutil.copy(job.clips["low"], folder / "green song.m4a")
    shutil.copy(job.clips["damaged"], folder / "broken green.mp4")
    (folder / "broken.mp4").write_bytes(b"no media at all" * 40)
    (folder / "spoken.mp4").write_bytes(clip.read_bytes())
    (folder / "spoken.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nTwo songs.\n")
    (folder / "notes.doc").write_text("x")
    tags = folder.parent / f"{folder.name}.txt"
    tags.write_text("red\ngreen\nblue\nsong\nopera\nseaside\n")
    return folder, tags


@pytest.fixture
def answers(tagtower, archive, tmp_path):
    folder, tags = archive
    result = tagtower(
        "start", folder, "--tags", tags, "--out", tmp_path / "out", "--sidecars", "both", "--json"
    )
    return result, {line["id"]: line for line in read_lines(tmp_path / "out")}


def read_lines(out):
    return [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]


def tags_of(line):
    return {tag["tag"]: tag["found_in"] for tag in line["tags"]}
