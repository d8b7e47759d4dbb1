"""Manifests in JSON Lines, CSV and Parquet: the contract field by field, and every refusal by file, line and field."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from tagtower.errors import ManifestError
from tagtower.records import Example, Problems, Video
from tagtower.training.manifest import read_manifest


@pytest.fixture
def problems():
    return Problems()


def write(folder: Path, *rows: dict | str, name: str = "manifest.jsonl") -> Path:
    path = folder / name
    path.write_text(
        "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), "utf-8"
    )
    return path


def faults(problems: Problems) -> list[tuple[int, str]]:
    """The line and the field of each problem."""
    return [(int(one.where.rpartition(":")[2]), one.what.split(":")[0]) for one in problems.first]


def test_a_full_row_in_every_format(tmp_path, problems):
    row = {
        "id": "v1",
        "video": "media/a.mp4",
        "title": "A title, with a comma",
        "description": "Two\n\nparagraphs",
        "subtitles": "subs/a.en.vtt",
        "tags": ["car", "blue triangle"],
        "rejected": ["boat", "red triangle"],
        "group": "channel",
        "split": "val",
        "published": "2025-01-31T12:00:00.000Z",
    }
    wanted = Example(
        Video(
            "v1", f"{tmp_path}/media/a.mp4", row["title"], "Two\n\nparagraphs", f"{tmp_path}/subs/a.en.vtt"
        ),
        ("car", "blue triangle"),
        "channel",
        "val",
        datetime(2025, 1, 31, 12, tzinfo=UTC),
        line=1,
        rejected=("boat", "red triangle"),
    )
    jsonl = write(tmp_path, row)
    cells = {**row, "tags": "car; blue triangle", "rejected": "boat;red triangle"}
    csv = write(tmp_path, ",".join(cells), ",".join(f'"{cell}"' for cell in cells.values()), name="m.csv")
    stamped = {**row, "published": wanted.published}
    pyarrow.parquet.write_table(pa.Table.from_pylist([stamped]), tmp_path / "m.parquet")
    assert read_manifest(jsonl, problems=problems).examples == (wanted,)
    assert read_manifest(tmp_path / "m.parquet", problems=problems).examples == (wanted,)
    from_csv = read_manifest(csv, problems=problems).examples
    assert (from_csv[0].video, from_csv[0].tags, from_csv[0].line) == (wanted.video, wanted.tags, 2)
    assert problems.count == 0


def test_a_row_needs_a_video_or_a_title(tmp_path, problems):
    path = write(
        tmp_path,
        {"title": "title alone"},
        {"video": "sound.ogg", "title": None},
        {"id": "neither", "tags": ["car"]},
        {"video": "", "title": "  "},
        {"video": None, "title": None, "description": "is no modality"},
    )
    manifest = read_manifest(path, problems=problems)
    assert len(manifest.examples) == 2
    assert manifest.refused == 3
    assert faults(problems) == [(3, "video"), (4, "video"), (5, "video")]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"id": 1.5}, "id"),
        ({"id": ["a"]}, "id"),
        ({"video": 3}, "video"),
        ({"video": "a\0.mp4"}, "video"),
        ({"video": "file://elsewhere/a.mp4"}, "video"),
        ({"title": {"en": "a"}}, "title"),
        ({"title": "half \ud83d"}, "title"),
        ({"description": False}, "description"),
        ({"subtitles": ["a"]}, "subtitles"),
        ({"tags": "car;boat"}, "tags"),
        ({"tags": ["car", 2024]}, "tags[1]"),
        ({"tags": [None]}, "tags[0]"),
        ({"rejected": "car"}, "rejected"),
        ({"tags": ["car"], "rejected": [" CAR"]}, "rejected"),
        ({"group": {}}, "group"),
        ({"split": "validation"}, "split"),
        ({"split": 1}, "split"),
        ({"published": "last week"}, "published"),
        ({"published": 1700000000}, "published"),
    ],
)
def test_a_field_of_the_wrong_type_is_named(tmp_path, problems, fields, field):
    path = write(tmp_path, {"title": "good"}, {"title": "bad", **fields})
    assert [one.video.title for one in read_manifest(path, problems=problems).examples] == ["good"]
    assert faults(problems) == [(2, field)]


def test_strict_stops_at_the_first_bad_row_and_names_it(tmp_path, problems):
    path = write(tmp_path, {"title": "good"}, {"title": 5}, {"title": 6})
    with pytest.raises(ManifestError, match=r"manifest\.jsonl:2: title: the number 5"):
        read_manifest(path, strict=True, problems=problems)


def test_strict_lets_unknown_columns_pass(tmp_path, problems):
    path = write(tmp_path, {"title": "good", "tag": ["car"]})
    assert len(read_manifest(path, strict=True, problems=problems).examples) == 1
    assert "did you mean 'tags'?" in problems.first[0].what


def test_duplicate_ids_are_refused_with_the_line_of_the_first(tmp_path, problems):
    path = write(tmp_path, {"id": 7, "title": "a"}, {"id": "8", "title": "b"}, {"id": "7", "title": "c"})
    manifest = read_manifest(path, problems=problems)
    assert [one.video.id for one in manifest.examples] == ["7", "8"]
    assert faults(problems) == [(3, "id")]
    assert problems.first[0].what == f"id: '7' stands in {path}:1 already"


def test_rows_without_an_id_are_called_by_their_video_or_line_and_never_alike(tmp_path, problems):
    path = write(
        tmp_path,
        {"video": "a/b.mp4"},
        {"title": "t"},
        {"video": "../up.mp4"},
        {"video": "https://example.org/v.mp4"},
        {"video": "a/b.mp4"},
        {"id": "row-7", "title": "t"},
        {"title": "t"},
        {"video": "/abs/c.mp4"},
    )
    ids = [one.video.id for one in read_manifest(path, problems=problems).examples]
    assert ids == [
        "a/b.mp4",
        "row-2",
        "../up.mp4",
        "https://example.org/v.mp4",
        "a/b.mp4#5",
        "row-7",
        "row-7#7",
        "/abs/c.mp4",
    ]
    assert problems.count == 0


def test_media_are_found_from_the_manifest_and_uris_stay(tmp_path, problems, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "below").mkdir()
    write(
        tmp_path / "below",
        {"video": "a.mp4"},
        {"video": "/x/b c.mp4"},
        {"video": "file:///x/b%20c.mp4"},
        {"video": "s3://bucket/c.mp4"},
    )
    examples = read_manifest(Path("below/manifest.jsonl"), problems=problems).examples
    assert [one.video.media for one in examples] == [
        f"{tmp_path}/below/a.mp4",
        "/x/b c.mp4",
        "/x/b c.mp4",
        "s3://bucket/c.mp4",
    ]


def test_subtitles_are_text_unless_they_end_like_a_file(tmp_path, problems):
    texts = ["Hello there", "see a.srt\nand more", "subs/a.SRT", "He said: read the file.", "/x/a.vtt"]
    path = write(tmp_path, *({"title": "t", "subtitles": text} for text in texts))
    examples = read_manifest(path, problems=problems).examples
    assert [one.video.subtitles for one in examples] == [
        texts[0],
        texts[1],
        f"{tmp_path}/subs/a.SRT",
        texts[3],
        "/x/a.vtt",
    ]


def test_csv_gives_what_a_spreadsheet_saves(tmp_path, problems):
    path = tmp_path / "m.csv"
    path.write_bytes("\ufeffvideo,title,tags,split\r\na.mp4,,car;,train\r\n,Grüße,,\r\n,,,\r\n".encode())
    first, second = read_manifest(path, problems=problems).examples
    assert (first.video.title, first.tags, first.split) == (None, ("car",), "train")
    assert (second.video.media, second.video.title, second.tags, second.split) == (None, "Grüße", (), None)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("m.jsonl", b"", "is empty"),
        ("m.jsonl", b"\n\n", "holds no rows"),
        ("m.jsonl", b"{}\n{}\n", "m.jsonl:1: video: neither"),
        ("m.jsonl", b'{"title": "caf\xe9"}\n', "byte 0xE9 at column 15"),
        ("m.jsonl", b"\x00\x01\x02", "NUL"),
        ("m.csv", b"title\n", "holds no rows"),
        ("m.csv", b"id;title\n1;a\n", "commas"),
        ("m.parquet", b"PAR1", "Parquet"),
        ("m.json", b"[]", "no format of a manifest"),
        ("m.mp4", b"x", "no format of a manifest"),
        ("m", b"x", "no format of a manifest"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_refused_by_name_and_reason(
    tmp_path, problems, name, content, reason
):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ManifestError) as refusal:
        read_manifest(path, problems=problems)
    assert str(path) in str(refusal.value)
    assert reason in str(refusal.value)


@pytest.mark.parametrize("name", ["missing.jsonl", "missing", "file.csv/x.jsonl", "n" * 5000])
def test_a_missing_manifest_is_refused(tmp_path, problems, name):
    (tmp_path / "file.csv").write_text("title\n")
    with pytest.raises(ManifestError, match=r"no such file|cannot be read"):
        read_manifest(tmp_path / name, problems=problems)


READ_ALONE = """
import sys, time
from pathlib import Path
from tagtower.records import Problems
from tagtower.training.manifest import read_manifest
start = time.process_time()
read_manifest(Path(sys.argv[1]), problems=Problems())
print(time.process_time() - start)
"""


def test_ten_thousand_rows_are_read_in_a_second(tmp_path):
    """In a process of its own, without the shape checks that slow the tests down tenfold; 0.3 s were measured."""
    words = {
        "description": "word " * 150,
        "tags": [f"tag {place}" for place in range(15)],
        "published": "2025-01-31T12:00Z",
    }
    rows = ({"id": f"v{place}", "title": f"Title {place} ünïcode", **words} for place in range(10_000))
    path = write(tmp_path, *rows)
    seconds = subprocess.check_output([sys.executable, "-c", READ_ALONE, str(path)], text=True)
    assert float(seconds) < 1


@pytest.mark.slow
def test_real_titles_are_read_whole(bench_data, problems):
    manifest = read_manifest(bench_data / "data" / "titles" / "manifest.jsonl", problems=problems)
    assert (len(manifest.examples), manifest.refused, problems.count) == (10_039, 0, 0)


@pytest.mark.parametrize(("name", "size"), [("clips", 111), ("sounds", 600)])
def test_real_media_manifests_lead_to_their_files(bench_data, problems, name, size):
    examples = read_manifest(bench_data / "data" / name / "manifest.jsonl", problems=problems).examples
    assert len(examples) == size
    assert all(Path(one.video.media).is_file() and one.tags and one.split for one in examples)
