"""`tagtower label`: JSON lines of the contract, going on past bad files and after any end, and exit codes."""

from __future__ import annotations

import json
import os
import shutil

import pytest

ANSWER = [
    "schema", "id", "video", "title", "model", "library", "ranker", "tags", "modalities", "seconds",
]  # fmt: skip


@pytest.fixture
def words(tmp_path):
    """A manifest of titles: nothing to decode."""
    rows = [{"id": f"w{number}", "title": f"walk {number}"} for number in range(6)]
    (tmp_path / "words.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path / "words.jsonl"


def test_json_lines_have_the_fields_of_the_contract(tagtower, trained, job):
    result = tagtower("label", trained, job.flawed, "--tags", job.tags, "--json", "--top-k", 2)
    assert result.code == 1
    assert [line["id"] for line in result.lines] == [
        json.loads(row)["id"] for row in job.flawed.read_text().splitlines()
    ]
    for line in result.lines:
        assert line["schema"] == 1
        if line["id"] in ("damaged", "missing"):
            assert set(line) == {"schema", "id", "video", "title", "error"}
            assert set(line["error"]) == {"type", "message"}
        else:
            assert list(line) == ANSWER
            assert [tag["rank"] for tag in line["tags"]] == [1, 2]
            assert set(line["tags"][0]) == {"tag", "rank", "distance", "score", "evidence"}
    assert "2 of 13 videos could not be labelled" in result.err
    assert "missing.mp4: does not exist" in result.err


def test_every_file_of_a_folder_is_labelled_for_a_person(tagtower, trained, job):
    result = tagtower("label", trained, job.folder / "clips", "--tags", job.tags)
    assert result.code == 1
    lines = result.out.splitlines()
    assert len(lines) == 10
    assert lines[0].startswith("blue-high.mp4: ")
    assert lines[0].count("(") == 5


@pytest.mark.parametrize(
    ("options", "tags"),
    [(["--top-k", 3], 3), (["--all"], 7), ([], 5), (["--max-distance", 2], 7), (["--max-distance", 0], 0)],
    ids=str,
)
def test_how_many_tags_come_back(tagtower, trained, job, words, options, tags):
    result = tagtower("label", trained, words, "--tags", job.tags, "--json", *options)
    assert result.code == 0
    assert {len(line["tags"]) for line in result.lines} == {tags}


def test_where_no_tag_is_near_a_person_is_told_so(tagtower, trained, job, words):
    result = tagtower("label", trained, words, "--tags", job.tags, "--max-distance", 0)
    assert result.out.splitlines()[0] == "w0: no tag is near enough"


def test_a_tag_added_to_the_file_between_two_calls_is_used(tagtower, trained, job, words, tmp_path):
    tags = shutil.copy(job.tags, tmp_path / "tags.txt")
    first = tagtower("label", trained, words, "--tags", tags, "--json", "--all")
    with tags.open("a") as stream:
        stream.write("a total solar eclipse\n")
    second = tagtower("label", trained, words, "--tags", tags, "--json", "--all")
    assert {tag["tag"] for tag in second.lines[0]["tags"]} - {
        tag["tag"] for tag in first.lines[0]["tags"]
    } == {"a total solar eclipse"}
    assert first.lines[0]["library"] != second.lines[0]["library"]
    assert first.lines[0]["model"] == second.lines[0]["model"]


def test_a_tag_that_has_expired_is_not_proposed(tagtower, trained, words, tmp_path):
    tags = tmp_path / "tags.jsonl"
    tags.write_text(
        '{"tag": "old news", "expires": "2001-01-01"}\n{"tag": "news", "expires": "2999-01-01"}\n'
    )
    result = tagtower("label", trained, words, "--tags", tags, "--json", "--all")
    assert [tag["tag"] for tag in result.lines[0]["tags"]] == ["news"]


def test_the_output_file_is_refused_resumed_or_replaced(tagtower, trained, job, words, tmp_path):
    out = tmp_path / "out.jsonl"
    command = ["label", trained, words, "--tags", job.tags, "--out", out]
    first = tagtower(*command)
    assert first.code == 0
    assert first.out == ""
    whole = out.read_text().splitlines(keepends=True)
    assert len(whole) == 6
    assert tagtower(*command).code == 2
    out.write_text("".join(whole[:2]) + whole[2][:40])
    resumed = tagtower(*command, "--resume")
    assert resumed.code == 0
    assert "2 of 6 videos were labelled before" in resumed.err
    after = out.read_text().splitlines(keepends=True)
    assert after[:2] == whole[:2]
    assert [without_seconds(line) for line in after] == [without_seconds(line) for line in whole]
    assert tagtower(*command, "--overwrite", "--top-k", 1).code == 0
    assert len(json.loads(out.read_text().splitlines()[0])["tags"]) == 1
    assert tagtower(*command, "--overwrite", "--resume").code == 2


def without_seconds(line: str) -> dict[str, object]:
    return {key: value for key, value in json.loads(line).items() if key != "seconds"}


def test_failures_are_tried_again_on_resume(tagtower, trained, job, tmp_path):
    clip, out = tmp_path / "late.mp4", tmp_path / "out.jsonl"
    command = ["label", trained, clip, job.clips["low"], "--tags", job.tags, "--out", out, "--resume"]
    assert tagtower(*command).code == 1
    shutil.copy(job.clips["red"], clip)
    assert tagtower(*command).code == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["id"] for line in lines] == [str(job.clips["low"]), str(clip)]
    assert tagtower(*command).code == 0


def test_an_output_is_not_touched_by_a_run_that_cannot_begin(tagtower, job, words, tmp_path):
    out = tmp_path / "out.jsonl"
    out.write_text("precious\n")
    assert (
        tagtower("label", tmp_path / "nope", words, "--tags", job.tags, "--out", out, "--overwrite").code == 3
    )
    assert out.read_text() == "precious\n"


def test_where_every_input_fails_nothing_was_done(tagtower, trained, job):
    result = tagtower(
        "label", trained, job.clips["missing"], job.clips["damaged"], "--tags", job.tags, "--json"
    )
    assert result.code == 3
    assert [line["error"]["type"] for line in result.lines] == ["missing", "not-media"]


@pytest.mark.parametrize(
    "options",
    [
        ["--all", "--top-k", 3],
        ["--all", "--max-distance", 1],
        ["--top-k", 0],
        ["--max-distance", -1],
        ["--max-distance", "nan"],
        ["--resume"],
        ["--title", "x"],
        ["--titles", "exif"],
        ["--device", "tpu"],
    ],
    ids=str,
)
def test_wrong_use(tagtower, trained, job, words, options):
    result = tagtower("label", trained, words, "--tags", job.tags, *options)
    assert result.code == 2
    assert result.out == ""
    assert "Traceback" not in result.err


def test_empty_unreadable_and_odd_inputs_each_get_their_line(tagtower, trained, job, tmp_path):
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("no media\n" * 100)
    os.mkfifo(tmp_path / "pipe.mp4")
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4")
    shutil.copy(job.clips["red"], odd)
    inputs = [tmp_path / "empty.mp4", tmp_path / "text.mp4", tmp_path / "pipe.mp4", "x" * 5000, odd]
    result = tagtower("label", trained, *inputs, job.clips["low"], "--tags", job.tags, "--json")
    assert result.code == 1
    kinds = [line.get("error", {}).get("type") for line in result.lines]
    assert kinds == ["empty", "not-media", "unreadable", "unreadable", "unreadable", None]


def test_an_empty_folder_and_an_empty_library(tagtower, trained, job, tmp_path, words):
    (tmp_path / "folder").mkdir()
    assert tagtower("label", trained, tmp_path / "folder", "--tags", job.tags).code == 3
    (tmp_path / "tags.txt").write_text("\n \n")
    result = tagtower("label", trained, words, "--tags", tmp_path / "tags.txt")
    assert result.code == 3
    assert "tags.txt" in result.err


@pytest.mark.parametrize("harm", ["missing", "half", "tampered", "version", "file"])
def test_a_model_that_cannot_be_trusted(tagtower, trained, job, words, tmp_path, harm):
    model = tmp_path / "model"
    if harm != "missing":
        shutil.copytree(trained, model)
    if harm == "half":
        (model / "training_tags.json").unlink()
    elif harm == "tampered":
        weights = bytearray((model / "model.safetensors").read_bytes())
        weights[-1] ^= 1
        (model / "model.safetensors").write_bytes(weights)
    elif harm == "version":
        config = json.loads((model / "config.json").read_text())
        (model / "config.json").write_text(json.dumps({**config, "format": 99}))
    elif harm == "file":
        model = model / "config.json"
    result = tagtower("label", model, words, "--tags", job.tags)
    assert result.code == 3
    assert str(model) in result.err
    assert "Traceback" not in result.err


def test_bad_rows_are_counted_and_strict_stops_at_the_first(tagtower, trained, job, words):
    words.write_text(words.read_text() + '\n{"id": "w0", "title": "again"}\n')
    result = tagtower("label", trained, words, "--tags", job.tags, "--json")
    assert result.code == 0
    assert "1 remark on the inputs:" in result.err
    assert "words.jsonl:7" in result.err
    assert tagtower("label", trained, words, "--tags", job.tags, "--strict").code == 3


def test_quiet_says_nothing_but_failures(tagtower, trained, job, words, tmp_path):
    words.write_text(words.read_text() + "\n{}\n")
    result = tagtower("label", trained, words, "--tags", job.tags, "--out", tmp_path / "o.jsonl", "--quiet")
    assert (result.code, result.out, result.err) == (0, "", "")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--ranker", "hybrid"), "has no ranker"),
        (("--ranker", "best"), "no ranker 'best'"),
        (("--precision", "0.7"), "no calibration"),
    ],
)
def test_what_the_model_does_not_have_is_refused(tagtower, trained, job, options, told):
    result = tagtower("label", trained, job.manifest, "--tags", job.tags, *options)
    assert result.code == 2
    assert told in result.err


def test_neighbours_need_a_ranker(tagtower, trained, job, tmp_path):
    labelled = tmp_path / "labelled.jsonl"
    labelled.write_text(json.dumps({"id": "other", "title": "a song", "tags": ["music"]}))
    for command in ("label", "evaluate"):
        result = tagtower(command, trained, job.manifest, "--tags", job.tags, "--neighbours", labelled)
        assert result.code == 2
        assert "mean nothing to the towers alone" in result.err
