"""The output of `label --out`: lines as they come, resumed after any end, never two models in one file."""

from __future__ import annotations

import json
import os

import pytest

from tagtower.errors import StorageError, UsageError
from tagtower.usecases.label_file import LabelFile


def line(name: str, *, model: str = "m", ranker: str = "tower", failed: bool = False) -> str:
    good = {"model": model, "ranker": ranker, "tags": []}
    answer = {"error": {"type": "missing", "message": "x"}} if failed else good
    return json.dumps({"schema": 1, "id": name, "video": f"{name}.mp4", **answer}) + "\n"


def write(path, *lines: str) -> None:
    path.write_text("".join(lines))


def test_a_line_is_in_the_file_as_soon_as_it_is_written(tmp_path):
    path = tmp_path / "new folder" / "out.jsonl"
    with LabelFile(path) as file:
        file.write(line("a"))
        assert path.read_text() == line("a")
        file.write(line("é☃"))
        assert path.read_text() == line("a") + line("é☃")


def test_without_a_path_nothing_happens():
    with LabelFile(None) as file:
        file.write(line("a"))
    assert file.before == ()


def test_a_file_that_exists_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "out.jsonl"
    write(path, line("a"))
    with pytest.raises(UsageError, match="exists"):
        LabelFile(path)
    assert path.read_text() == line("a")


def test_resume_keeps_answers_and_drops_failures_and_a_line_cut_short(tmp_path):
    path = tmp_path / "out.jsonl"
    write(path, line("a"), line("b", failed=True), line("c"), line("d")[:-10])
    with LabelFile(path, resume=True) as file:
        assert [answer["id"] for answer in file.before] == ["a", "c"]
        file.write(line("b"))
    assert path.read_text() == line("a") + line("c") + line("b")


def test_a_whole_last_line_without_its_end_is_written_anew(tmp_path):
    path = tmp_path / "out.jsonl"
    write(path, line("a"), line("b").rstrip("\n"))
    assert [answer["id"] for answer in LabelFile(path, resume=True).before] == ["a"]


def test_resume_of_a_file_that_is_not_there_begins_it(tmp_path):
    with LabelFile(tmp_path / "out.jsonl", resume=True) as file:
        assert file.before == ()
        file.write(line("a"))
    assert (tmp_path / "out.jsonl").read_text() == line("a")


@pytest.mark.parametrize("options", [{"overwrite": True}, {"resume": True}])
def test_nothing_changes_before_the_first_line(tmp_path, options):
    path = tmp_path / "out.jsonl"
    before = line("a") + line("b", failed=True) + "{"
    write(path, before)
    with LabelFile(path, **options):
        pass
    assert path.read_text() == before


def test_overwrite_replaces_with_the_first_line(tmp_path):
    path = tmp_path / "out.jsonl"
    write(path, "anything at all")
    with LabelFile(path, overwrite=True) as file:
        file.write(line("a"))
    assert path.read_text() == line("a")


def test_what_contradicts_itself_is_refused(tmp_path):
    with pytest.raises(UsageError, match="contradict"):
        LabelFile(tmp_path / "out.jsonl", resume=True, overwrite=True)
    with pytest.raises(UsageError, match="--resume needs --out"):
        LabelFile(None, resume=True)


def test_answers_of_another_model_are_not_mixed_with_new_ones(tmp_path):
    path = tmp_path / "out.jsonl"
    write(path, line("a", model="first" * 10, ranker="tower"))
    file = LabelFile(path, resume=True)
    file.check_model("first" * 10, "tower")
    with pytest.raises(UsageError, match=r"another model \(firstfirstfi\)"):
        file.check_model("second", "tower")
    with pytest.raises(UsageError, match=r"another ranker \(tower\)"):
        file.check_model("first" * 10, "hybrid")


@pytest.mark.parametrize("content", [b"a,b,c\n", b"[1]\n", b"{}\n", b"\xff\xfe\n", b"\n"])
def test_a_file_of_another_kind_is_not_resumed(tmp_path, content):
    path = tmp_path / "out.jsonl"
    path.write_bytes(content)
    with pytest.raises(StorageError, match="line 1: is not an answer"):
        LabelFile(path, resume=True)
    assert path.read_bytes() == content


def test_a_folder_is_no_output(tmp_path):
    with pytest.raises(StorageError, match="cannot be read"):
        LabelFile(tmp_path, resume=True)
    with LabelFile(tmp_path, overwrite=True) as file, pytest.raises(StorageError, match="is not a file"):
        file.write(line("a"))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_a_full_disk_is_told_with_a_way_out(tmp_path):
    with LabelFile(tmp_path / "out.jsonl") as file:
        file.write(line("a"))
        file._stream.close()
        file._stream = open("/dev/full", "ab")  # noqa: SIM115, PTH123
        with pytest.raises(StorageError, match="No space left") as caught:
            file.write(line("b"))
    assert "--resume" in caught.value.hint
    assert (tmp_path / "out.jsonl").read_text() == line("a")
