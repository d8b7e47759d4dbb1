"""What `tagtower start` leaves behind: a summary, sidecars, a table; and how a run is resumed or interrupted."""

from __future__ import annotations

import csv
import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

from tagtower.records import Problems
from tagtower.training.manifest import read_manifest

from .conftest import HOSTILE, read_lines, tags_of


def test_the_summary_counts_what_was_seen(answers):
    said = answers[0].json
    assert said["schema"] == 1
    assert said["videos"] == 8
    assert said["having"] == {"pictures": 5, "sound": 6, "title": 8}
    assert said["tagged"] == {"by name alone": 6}
    assert sum(said["untagged"].values()) == 2
    assert len(said["unreadable"]) == 2
    assert said["model"]["kind"] == "none"
    assert said["advice"][0].startswith("--dual FOLDER")


def test_sidecars_mirror_the_folder_and_parse(answers, archive, tmp_path):
    folder, _ = archive
    written = sorted(
        path.relative_to(tmp_path / "out" / "sidecars") for path in walk(tmp_path / "out" / "sidecars")
    )
    assert len(written) == answers[0].json["sidecars"]["written"] == 12
    for path in walk(tmp_path / "out" / "sidecars"):
        ET.fromstring(path.read_bytes())
    movie = ET.parse(tmp_path / "out" / "sidecars" / f"{HOSTILE}.nfo").getroot()
    assert (movie.findtext("title"), movie.findtext("tag")) == ("<b>&\"' red line", "red")
    assert not list(folder.rglob("*.nfo"))


def walk(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_the_table_is_a_manifest(answers, tagtower, archive, tmp_path):
    rows = list(csv.DictReader((tmp_path / "out" / "results.csv").open(newline="")))
    assert [row["id"] for row in rows] == list(answers[1])
    examples = read_manifest(tmp_path / "out" / "results.csv", problems=Problems()).examples
    assert {one.video.id: set(one.tags) for one in examples} == {
        name: set(tags_of(line)) if "tags" in line else set() for name, line in answers[1].items()
    }
    assert all(Path(one.video.media).is_relative_to(archive[0]) for one in examples)


def test_beside_the_media_nothing_of_others_is_replaced(tagtower, archive, tmp_path):
    folder, tags = archive
    own = shutil.copytree(folder, tmp_path / "own", ignore=shutil.ignore_patterns("broken*"))
    (own / "green song.nfo").write_text("<movie/>")
    command = ["start", own, "--tags", tags, "--sidecars", "nfo", "--beside", "--json", "--out"]
    for number in (1, 2):  # the second run replaces its own
        result = tagtower(*command, tmp_path / f"out{number}")
        assert result.code == 1
        assert result.json["sidecars"]["written"] == 4
        assert "green song.nfo: a file that TagTower did not write" in result.err
    assert (own / "green song.nfo").read_text() == "<movie/>"
    assert ET.parse(own / "spoken.nfo").getroot().findtext("tag") == "song"


def test_a_run_is_refused_resumed_or_replaced(tagtower, archive, tmp_path):
    folder, tags = archive
    out = tmp_path / "out"
    command = ["start", folder, "--tags", tags, "--out", out, "--quiet"]
    tagtower(*command)
    whole = (out / "results.jsonl").read_bytes()
    assert tagtower(*command).code == 2
    cut = whole[: whole.index(b"\n", len(whole) // 2) + 8]
    (out / "results.jsonl").write_bytes(cut)
    (out / "results.csv").unlink()
    assert tagtower(*command, "--resume").code == 1
    assert {line["id"]: line.get("tags") for line in read_lines(out)} == {
        json.loads(line)["id"]: json.loads(line).get("tags") for line in whole.splitlines()
    }
    assert (out / "results.csv").exists()
    other = tagtower(*command, "--resume", "--top-k", 1)
    assert (other.code, "another request" in other.err) == (2, True)
    assert tagtower(*command, "--overwrite", "--top-k", 1).code == 1
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("x")
    assert tagtower("start", folder, "--tags", tags, "--out", tmp_path / "mine", "--overwrite").code == 2
    assert (tmp_path / "mine" / "file").exists()


def test_an_interrupt_keeps_what_is_finished(tagtower, archive, tmp_path, monkeypatch):
    from tagtower.media.isolation import Decoder

    folder, tags = archive
    command = ["start", folder, "--tags", tags, "--out", tmp_path / "out", "--json"]
    probe, seen = Decoder.probe, []

    def interrupted(self, path):
        seen.append(path)
        if len(seen) == 4:
            raise KeyboardInterrupt
        return probe(self, path)

    monkeypatch.setattr(Decoder, "probe", interrupted)
    assert tagtower(*command).code == 130
    assert len(read_lines(tmp_path / "out")) == 3
    assert len((tmp_path / "out" / "results.csv").read_text().splitlines()) > 3
    done = tagtower(*command, "--resume")
    assert (done.code, done.json["videos"]) == (1, 8)
