"""`train`, `evaluate`, `embed`, `data check` and `config` as typed: what they print and how they end."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from tagtower.usecases.train import state_folder


@pytest.fixture
def words(tmp_path):
    rows = [
        {"title": f"{kind} number {number}", "tags": [kind], "split": split}
        for kind in ("walk", "song", "game")
        for number, split in enumerate(("train", "train", "train", "val", "test"))
    ]
    (tmp_path / "words.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "words.txt").write_text("walk\nsong\ngame\n")
    return tmp_path


def sets(job, *more: str) -> list[str]:
    alone = ("image.encoder=none", "audio.frontend=none")
    return [part for setting in (*job.overrides, *alone, *more) for part in ("--set", setting)]


def test_train_evaluate_label_in_a_row(tagtower, job, words):
    manifest, tags, model = words / "words.jsonl", words / "words.txt", words / "model"
    made = tagtower("train", manifest, "--tags", tags, "--out", model, "--no-store", *sets(job))
    assert made.code == 0
    assert "epoch   2/2  loss" in made.err
    assert f"{model}: trained on 9 videos" in made.err
    measured = tagtower("evaluate", model, manifest, "--tags", tags)
    assert measured.code == 0
    assert "never seen, among all" in measured.out
    labelled = tagtower("label", model, manifest, "--tags", tags, "--top-k", 1)
    assert labelled.code == 0
    assert len(labelled.out.splitlines()) == 15


def test_train_prints_json(tagtower, job, words):
    made = tagtower(
        "train", words / "words.jsonl", "--tags", words / "words.txt", "--out", words / "model", "--json", "-q",
        "--no-store", *sets(job),
    )  # fmt: skip
    assert list(made.json) == [
        "schema", "out", "model", "videos", "validation", "ranked", "failed", "seconds",
    ]  # fmt: skip
    assert made.json["videos"] == {"train": 9, "val": 3}
    assert made.err == ""


def test_train_with_a_wrong_setting_names_the_nearest_and_leaves_nothing(tagtower, job, words):
    command = ["train", words / "words.jsonl", "--tags", words / "words.txt", "--out", words / "model"]
    for setting, told in (
        ("los.margin=1", "did you mean 'loss.margin'?"),
        ("loss.margin=wide", "loss.margin"),
        ("image.crop=1000", "image.resize"),
        ("loss.margin", "there is no `=`"),
    ):
        result = tagtower(*command, *sets(job), "--set", setting)
        assert result.code == 2
        assert told in result.err
    (words / "c.toml").write_text("[loss]\nmargn = 1\n")
    assert "did you mean 'loss.margin'" in tagtower(*command, "--config", words / "c.toml").err
    assert not state_folder(words / "model").exists()


def test_train_on_what_is_not_there(tagtower, words):
    out = ["--out", words / "model"]
    assert tagtower("train", words / "no.jsonl", "--tags", words / "words.txt", *out).code == 3
    assert tagtower("train", words / "words.jsonl", "--tags", words / "no.txt", *out).code == 3
    assert tagtower("train", words / "words.txt", "--tags", words / "words.txt", *out).code == 3


def test_resume_without_a_run_is_wrong_use(tagtower, words):
    result = tagtower(
        "train", words / "words.jsonl", "--tags", words / "words.txt", "--out", words / "model", "--resume"
    )
    assert result.code == 2
    assert "There is no unfinished run" in result.err


def test_evaluate_prints_the_object_of_the_contract(tagtower, trained, job, tmp_path):
    result = tagtower(
        "evaluate", trained, job.flawed, "--tags", job.tags, "--json", "--report", tmp_path / "report.html"
    )
    assert result.code == 1
    groups = ["all", "seen", "unseen", "unseen_in_full"]
    assert list(result.json) == [
        "schema", "videos", "tags", "model", "library", "ranker", *groups, "calibration", "gates",
    ]  # fmt: skip
    assert (tmp_path / "report.html").stat().st_size > 10_000
    assert f"report: {tmp_path / 'report.html'}" in result.err


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["--split", "dev"], 2, "train, val, test"),
        (["--modalities", "smell"], 2, "image, audio, text"),
        (["--modalities", ","], 2, "nothing is named"),
        (["--split", "train", "--modalities", "audio"], 1, "none of the modalities asked for"),
    ],
    ids=lambda value: str(value),
)
def test_evaluate_what_is_asked_for(tagtower, trained, job, options, code, told):
    result = tagtower("evaluate", trained, job.manifest, "--tags", job.tags, *options)
    assert result.code == code
    assert told in result.err


def test_evaluate_a_split_that_is_empty(tagtower, trained, words):
    rows = [json.loads(line) for line in (words / "words.jsonl").read_text().splitlines()]
    (words / "m.jsonl").write_text("\n".join(json.dumps(row) for row in rows if row["split"] != "test"))
    result = tagtower("evaluate", trained, words / "m.jsonl", "--tags", words / "words.txt")
    assert result.code == 3
    assert "no examples in split 'test'" in result.err


def test_embed_says_what_it_wrote(tagtower, trained, job, tmp_path):
    out = tmp_path / "v.npz"
    result = tagtower("embed", trained, job.flawed, "--out", out, "--json")
    assert result.code == 1
    assert list(result.json) == ["schema", "out", "vectors", "width", "model", "failed"]
    with np.load(out) as found:
        assert len(found["id"]) == result.json["vectors"] == 11
    assert tagtower("embed", trained, job.flawed, "--out", out).code == 2
    assert tagtower("embed", trained, "--tags", job.tags, "--out", out, "--overwrite").code == 0
    with np.load(out) as found:
        assert found["id"].tolist()[0] == "red"


def test_embed_wrong_use(tagtower, trained, job, tmp_path):
    assert tagtower("embed", trained, "--out", tmp_path / "v.npz").code == 2
    assert tagtower("embed", trained, job.manifest, "--out", tmp_path / "v.csv").code == 2
    assert tagtower("embed", trained, job.clips["missing"], "--out", tmp_path / "v.npz").code == 3


def test_data_check_for_a_person_and_for_a_program(tagtower, job):
    shown = tagtower("data", "check", job.manifest, "--tags", job.tags)
    assert shown.code == 0
    assert "tags in use" in shown.out
    printed = tagtower("data", "check", job.flawed, "--tags", job.tags, "--json")
    assert printed.json["schema"] == 1
    assert printed.json["videos"]["media_missing"] == 1
    assert printed.code == 1


def test_config_shows_lists_and_explains(tagtower):
    shown = tagtower("config", "show", "--preset", "tiny", "--set", "train.epochs=3", "--json")
    assert shown.json["settings"]["train"]["epochs"] == 3
    assert "image.frames" in tagtower("config", "show").out
    assert set(tagtower("config", "presets", "--json").json["presets"]) == {
        "tiny",
        "base",
        "titles",
        "finetune",
    }
    assert "minutes on a laptop" in tagtower("config", "presets").out
    assert tagtower("config", "explain", "train.val_share", "--json").json["default"] == 0.15
    assert "margin m of the triplet loss" in tagtower("config", "explain", "loss.margin").out


def test_calibrate_says_what_was_fitted_and_refuses_too_few(tagtower, job, trained, tmp_path):
    model = shutil.copytree(trained, tmp_path / "model")
    result = tagtower("calibrate", model, job.manifest, "--tags", job.tags, "--store", job.folder / "store")
    assert result.code == 3
    assert "50 are the least" in result.err
    assert tagtower("calibrate", model, job.manifest, "--tags", job.tags, "--split", "dev").code == 2
    row = json.loads(job.manifest.read_text().splitlines()[0]) | {"split": "val"}
    row |= {"video": None, "title": "red and low", "tags": ["red", "green", "blue", "low", "high"]}
    rows = [row | {"id": f"v{number}"} for number in range(12)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    command = ["calibrate", model, tmp_path / "rows.jsonl", "--tags", job.tags]
    said = tagtower(*command, "--json").json
    assert (said["schema"], said["videos"], said["failed"]) == (1, 12, [])
    assert said["orders"] == {"tower": {"hits": 60, "fitted": True, "before": None}}
    assert said["model"]["before"] != said["model"]["after"]
    again = tagtower(*command)
    assert again.code == 0
    assert "vectors as they were" in again.out
