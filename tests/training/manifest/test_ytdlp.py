"""A folder of yt-dlp downloads: what their info files give, and what becomes of the odd ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tagtower.errors import ManifestError
from tagtower.records import Example, Problems, Video
from tagtower.training.manifest import read_manifest

INFO = {
    "id": "dQw4",
    "title": "A clip",
    "description": "What it is",
    "tags": ["car", "boat"],
    "channel_id": "UC1",
    "uploader": "Someone",
    "upload_date": "20250131",
    "formats": [{"url": "https://example.org"}],
    "subtitles": {"en": []},
    "_type": "video",
}


@pytest.fixture
def problems():
    return Problems()


def download(folder: Path, name: str, *suffixes: str, **fields) -> None:
    (folder / f"{name}.info.json").write_text(json.dumps({**INFO, **fields}), "utf-8")
    for suffix in suffixes:
        (folder / f"{name}{suffix}").write_bytes(b"x")


def test_a_download_takes_its_words_from_the_info_file(tmp_path, problems):
    download(tmp_path, "A clip [dQw4]", ".mp4")
    assert read_manifest(tmp_path, problems=problems).examples == (
        Example(
            Video("dQw4", str(tmp_path / "A clip [dQw4].mp4"), "A clip", "What it is"),
            ("car", "boat"),
            "UC1",
            published=datetime(2025, 1, 31, tzinfo=UTC),
        ),
    )
    assert problems.count == 0


def test_the_second_of_the_upload_wins_over_its_day(tmp_path, problems):
    download(tmp_path, "a", ".mp4", timestamp=1738324800)
    assert read_manifest(tmp_path, problems=problems).examples[0].published == datetime(
        2025, 1, 31, 12, tzinfo=UTC
    )


def test_media_without_info_and_info_without_media_count_too(tmp_path, problems):
    download(tmp_path, "described", id="one")
    download(tmp_path, "nameless", id=None)
    (tmp_path / "plain.webm").write_bytes(b"x")
    examples = read_manifest(tmp_path, problems=problems).examples
    assert [(one.video.id, one.video.media and Path(one.video.media).name) for one in examples] == [
        ("one", None),
        ("nameless.info.json", None),
        ("plain.webm", "plain.webm"),
    ]


def test_info_of_a_playlist_is_no_video(tmp_path, problems):
    download(tmp_path, "list", _type="playlist")
    download(tmp_path, "a", ".mp4")
    assert len(read_manifest(tmp_path, problems=problems).examples) == 1


def test_one_download_in_two_formats_is_one_video(tmp_path, problems):
    download(tmp_path, "a", ".mp4", ".webm")
    assert [one.video.media for one in read_manifest(tmp_path, problems=problems).examples] == [
        str(tmp_path / "a.mp4")
    ]
    assert problems.first[0].what.startswith("a.webm: id: 'dQw4' stands in")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no usable JSON"),
        (b"{", "no usable JSON"),
        (b"[]", "no JSON object"),
        (b"\xff\xff", "no usable JSON"),
        (b"[" * 100_000, "no usable JSON"),
        (b'{"title": 5}', "title: the number 5"),
        (b'{"title": "a", "tags": "car"}', "tags: the text 'car'"),
        (b'{"title": "a", "timestamp": 1e30}', "timestamp"),
        (b'{"title": "a", "upload_date": "soon"}', "upload_date"),
    ],
)
def test_media_with_a_bad_info_file_count_without_its_words(tmp_path, problems, content, reason):
    (tmp_path / "a.mp4").write_bytes(b"x")
    (tmp_path / "a.info.json").write_bytes(content)
    manifest = read_manifest(tmp_path, problems=problems)
    assert manifest.examples == (Example(Video("a.mp4", str(tmp_path / "a.mp4"))),)
    assert manifest.refused == 1
    assert problems.first[0].what.startswith("a.info.json: ")
    assert reason in problems.first[0].what


def test_info_with_neither_media_nor_title_is_bad(tmp_path, problems):
    download(tmp_path, "a", title=None)
    with pytest.raises(ManifestError, match=r"a\.info\.json: title: is missing"):
        read_manifest(tmp_path, problems=problems)


def test_strict_stops_at_a_bad_info_file(tmp_path, problems):
    download(tmp_path, "a", ".mp4", tags=[1])
    with pytest.raises(ManifestError, match=r"a\.info\.json: tags\[0\]"):
        read_manifest(tmp_path, strict=True, problems=problems)
