"""Tag library files as people write them, and what is said of the bad ones."""

from __future__ import annotations

import codecs
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tagtower.errors import TagLibraryError
from tagtower.library.tagfile import read_tag_library
from tagtower.records import Problems, Tag


@pytest.fixture
def problems():
    return Problems()


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "content",
    [
        b"car\nblue triangle\n",
        b"car\r\nblue triangle",
        b"car\rblue triangle\r",
        b"\n  car  \n\n\nblue  triangle\n \n",
        codecs.BOM_UTF8 + b"car\nblue triangle\n",
        "car\nblue triangle\n".encode("utf-16"),
        codecs.BOM_UTF16_BE + "car\r\nblue triangle".encode("utf-16-be"),
    ],
)
def test_text_has_a_tag_a_line_in_any_encoding_with_a_mark_and_any_line_end(tmp_path, problems, content):
    assert read_tag_library(write(tmp_path, "tags.txt", content), problems).texts == ("car", "blue triangle")
    assert problems.count == 0


def test_text_lines_are_tags_whatever_they_hold(tmp_path, problems):
    path = write(tmp_path, "tags.txt", '#hashtag\n$1000\n{"tag": 1}\na,b;c\n日本\n')
    assert read_tag_library(path, problems).texts == ("#hashtag", "$1000", '{"tag": 1}', "a,b;c", "日本")


def test_json_lines_and_csv_say_the_same(tmp_path, problems):
    wanted = (
        Tag("car", ("auto", "motor"), "four wheels, one driver", datetime(2030, 1, 1, tzinfo=UTC)),
        Tag("boat"),
    )
    lines = [
        {
            "tag": "car",
            "aliases": ["auto", " motor "],
            "description": "four wheels, one driver",
            "expires": "2030-01-01",
        },
        {"tag": "boat", "aliases": None},
    ]
    jsonl = write(tmp_path, "tags.jsonl", "\n".join(map(json.dumps, lines)))
    csv = write(
        tmp_path,
        "tags.CSV",
        'tag,aliases,description,expires\ncar,auto; motor;,"four wheels, one driver",2030-01-01T00:00:00Z\nboat,,,\n',
    )
    assert read_tag_library(jsonl, problems).tags == wanted
    assert read_tag_library(csv, problems).tags == wanted
    assert problems.count == 0


def test_bad_entries_are_counted_with_line_and_field_and_the_rest_is_read(tmp_path, problems):
    lines = [
        '{"tag": "good"}',
        '{"tag": 5}',
        '{"aliases": ["x"]}',
        '{"tag": "a", "aliases": "b"}',
        '{"tag": "a", "aliases": ["b", 3]}',
        '{"tag": "a", "expires": "tomorrow"}',
        '["tag"]',
        '{"tag": "a"',
        "",
        '{"tag": "GOOD"}',
        '{"tag": "%s"}' % ("x" * 10_000),
    ]
    path = write(tmp_path, "tags.jsonl", "\n".join(lines))
    assert read_tag_library(path, problems).texts == ("good",)
    assert [problem.where for problem in problems.first] == [
        f"{path}:{line}" for line in (2, 3, 4, 5, 6, 7, 8, 11, 10)
    ]
    assert [problem.what.split(":")[0] for problem in problems.first[:5]] == [
        "tag",
        "tag",
        "aliases",
        "aliases[1]",
        "expires",
    ]


def test_a_tag_of_ten_thousand_characters_is_named_by_its_line_and_shown_in_short(tmp_path, problems):
    path = write(tmp_path, "tags.txt", "car\n" + "x" * 10_000 + "\n")
    assert len(read_tag_library(path, problems)) == 1
    assert problems.first[0].where == f"{path}:2"
    assert "10,000 characters" in problems.first[0].what
    assert len(problems.first[0].what) < 150


def test_duplicates_are_counted_by_their_line(tmp_path, problems):
    path = write(tmp_path, "tags.txt", "Café\nboat\nCAFE\u0301 \n")
    assert len(read_tag_library(path, problems)) == 2
    assert [problem.where for problem in problems.first] == [f"{path}:3"]


def test_an_unknown_column_is_named_with_the_nearest_that_is_known(tmp_path, problems):
    path = write(tmp_path, "tags.csv", "tag,alias\ncar,auto\nboat,\n")
    assert len(read_tag_library(path, problems)) == 2
    assert problems.count == 1
    assert "'alias' (rows: 2; did you mean 'aliases'?)" in problems.first[0].what


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("tags.txt", b"", "is empty"),
        ("tags.txt", b"\n \r\n", "holds no tags"),
        ("tags.txt", b"\0\0\0\n", "NUL bytes"),
        ("tags.txt", b"caf\xe9\n", "byte 0xE9 at column 4"),
        ("tags.txt", b"\xff\xfea", "no utf-16"),
        ("tags.csv", b"tag,aliases\n", "holds no tags"),
        ("tags.csv", b"name,aliases\ncar,\n", "no column 'tag'"),
        ("tags.csv", b"tag,tag\ncar,\n", "twice"),
        ("tags.jsonl", b"{}\n", "tags.jsonl:1: tag: is missing"),
        ("tags.json", b"[]", "no format of a tag library"),
        ("tags.parquet", b"PAR1", "no format of a tag library"),
    ],
)
def test_a_library_that_cannot_be_used_is_refused_by_name_and_reason(
    tmp_path, problems, name, content, reason
):
    path = write(tmp_path, name, content)
    with pytest.raises(TagLibraryError) as refusal:
        read_tag_library(path, problems)
    assert str(path) in str(refusal.value)
    assert reason in str(refusal.value)


@pytest.mark.parametrize(
    "name", ["missing.txt", "missing.jsonl", "folder", "folder.csv", "tags.txt/below.txt", "loop.txt"]
)
def test_a_path_that_is_no_readable_file_is_refused(tmp_path, problems, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "tags.txt").write_text("car")
    (tmp_path / "loop.txt").symlink_to("loop.txt")
    with pytest.raises(TagLibraryError, match=r"no such file|is a folder|cannot be read"):
        read_tag_library(tmp_path / name, problems)


def test_real_libraries_are_read_whole(bench_data, problems):
    for name, size in [("titles", 8269), ("clips", 280), ("sounds", 10)]:
        assert len(read_tag_library(bench_data / "data" / name / "tags.txt", problems)) == size
    assert problems.count == 0
