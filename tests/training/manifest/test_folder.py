"""Folders as manifests: which files count, what they are called, and what is passed over."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tagtower.errors import ManifestError
from tagtower.records import Problems
from tagtower.training.manifest import read_manifest


@pytest.fixture
def problems():
    return Problems()


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def test_media_are_found_at_any_depth_and_hidden_ones_are_not(tmp_path, problems):
    fill(tmp_path, "b.MP4", "a.ogg", "deep/er/c.webm", ".hidden.mp4", ".cache/d.mp4", "deep/._c.webm")
    manifest = read_manifest(tmp_path, problems=problems)
    assert [one.video.id for one in manifest.examples] == ["a.ogg", "b.MP4", "deep/er/c.webm"]
    assert manifest.examples[2].video.media == str(tmp_path / "deep/er/c.webm")
    assert all(one.video.title is None and one.tags == () and one.line == 0 for one in manifest.examples)
    assert problems.count == 0


def test_files_that_are_no_media_are_counted_in_one_problem(tmp_path, problems):
    fill(tmp_path, "a.mp4", "a.jpg", "deep/b.JPG", "notes.txt", "README", "c.mp4.part")
    assert len(read_manifest(tmp_path, problems=problems).examples) == 1
    assert [problem.what for problem in problems.first] == [
        "files that are no media are passed over: 5 (.jpg 2, no suffix 1, .part 1, .txt 1)"
    ]


def test_subtitles_beside_media_and_downloads_are_theirs(tmp_path, problems):
    fill(
        tmp_path, "a.mp4", "a.en.srt", "deep/b.webm", "deep/b.vtt", "deep/c.mp4", "lonely.srt", "d.en-US.vtt"
    )
    info = '{"id": "%s", "title": "A title"}'
    (tmp_path / "deep" / "b.info.json").write_text(info % "bee")
    (tmp_path / "d.info.json").write_text(info % "dee")
    found = read_manifest(tmp_path, problems=problems).examples
    assert {one.video.id: one.video.subtitles for one in found} == {
        "a.mp4": str(tmp_path / "a.en.srt"),
        "bee": str(tmp_path / "deep" / "b.vtt"),
        "deep/c.mp4": None,
        "dee": str(tmp_path / "d.en-US.vtt"),
    }
    assert [problem.what for problem in problems.first] == [
        "files that are no media are passed over: 1 (.srt 1)"
    ]


def test_a_folder_without_media_is_refused(tmp_path, problems):
    with pytest.raises(ManifestError, match="holds no media files"):
        read_manifest(fill(tmp_path, "notes.txt", ".a.mp4"), problems=problems)


def test_a_relative_folder_gives_absolute_paths(tmp_path, problems, monkeypatch):
    fill(tmp_path / "media", "a.mp4")
    monkeypatch.chdir(tmp_path)
    for folder in (Path("media"), Path()):
        assert read_manifest(folder, problems=problems).examples[0].video.media == str(
            tmp_path / "media" / "a.mp4"
        )


def test_a_folder_that_is_called_like_a_file_is_a_folder(tmp_path, problems):
    folder = fill(tmp_path / "archive.csv", "a.mp4")
    assert len(read_manifest(folder, problems=problems).examples) == 1


def test_a_link_that_leads_back_up_does_not_hang(tmp_path, problems):
    fill(tmp_path, "deep/a.mp4")
    (tmp_path / "deep" / "up").symlink_to(tmp_path)
    assert len(read_manifest(tmp_path, problems=problems).examples) == 1


def test_a_name_that_is_no_utf_8_is_a_bad_row(tmp_path, problems):
    fill(tmp_path, "a.mp4")
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    manifest = read_manifest(tmp_path, problems=problems)
    assert [one.video.id for one in manifest.examples] == ["a.mp4"]
    assert manifest.refused == 1
    assert "rename the file" in problems.first[0].what


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_folder_without_permission_is_counted(tmp_path, problems):
    fill(tmp_path, "a.mp4", "closed/b.mp4")
    (tmp_path / "closed").chmod(0)
    assert len(read_manifest(tmp_path, problems=problems).examples) == 1
    assert "cannot be read" in problems.first[0].what
    (tmp_path / "closed").chmod(0o700)
