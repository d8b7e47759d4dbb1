"""The advice at the end: what would help most videos stands first, and nothing is advised that is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tagtower.usecases.archive.report import report_of
from tagtower.usecases.archive.request import StartRequest
from tagtower.usecases.cold_model import ColdModel

SILENT = ColdModel("none", False, "nothing was taught")


def line(number: int, *found_in: str, having: tuple[str, ...] = ("pictures", "title")) -> dict[str, Any]:
    tags = [{"tag": f"tag {place}", "found_in": [place]} for place in found_in]
    title = "a title" if "title" in having else None
    return {"id": f"v{number}", "title": title, "tags": tags, "having": having, "modalities": {"image": 0.0}}


def advice(lines: list[dict[str, Any]], **given: str) -> list[str]:
    request = StartRequest(Path("archive"), Path("tags.txt"), Path("tagged"), **given)
    return [one.partition(" ")[0].rstrip(":") for one in report_of(request, lines, SILENT, {}).advice]


def test_what_helps_most_stands_first():
    lines = [line(0, "title"), line(1, "title"), line(2), line(3, having=("pictures",))]
    assert advice(lines) == ["--dual", "--text", "titles", "labels"]
    untitled = [line(number, "folder", having=("sound",)) for number in range(5)]
    assert advice([*lines, *untitled]) == ["--dual", "titles", "--text", "labels"]


def test_what_is_there_is_not_advised():
    lines = [line(0), line(1)]
    assert advice(lines, dual="clip", text="minilm") == ["labels"]


def test_tagged_and_untagged_add_up():
    lines = [line(0, "title"), line(1, "pictures and sound"), line(2, "title", "pictures and sound"), line(3)]
    broken = {"id": "v4", "title": None, "error": {"type": "damaged", "message": "v4: cannot be read"}}
    found = report_of(StartRequest(Path("a"), Path("t"), Path("o")), [*lines, broken], SILENT, {})
    assert found.tagged == {"by name alone": 1, "by pictures or sound alone": 1, "by both": 1}
    assert sum(found.tagged.values()) + sum(found.untagged.values()) == found.videos == 5
    assert found.unreadable == ("v4: cannot be read",)
