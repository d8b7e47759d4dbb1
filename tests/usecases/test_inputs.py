"""What a person points at, as videos: files, folders and manifests, in the order given."""

from __future__ import annotations

import os

import numpy as np
import pytest

from tagtower.errors import ManifestError, UsageError
from tagtower.media.write import write_clip
from tagtower.records import Problems, Video
from tagtower.usecases.inputs import read_inputs, title_source


@pytest.fixture
def problems() -> Problems:
    return Problems()


def test_files_folders_and_manifests_come_in_the_order_given(job, problems, monkeypatch):
    monkeypatch.chdir(job.folder)
    videos = read_inputs(["clips/low.m4a", "manifest.jsonl", "clips"], problems)
    assert videos[0] == Video("clips/low.m4a", str(job.clips["low"]))
    assert videos[1] == Video("red-low", str(job.clips["red-low"]), "a walk in the park")
    assert [video.id for video in videos[12:14]] == ["blue-high.mp4", "blue-low.mp4"]
    assert len(videos) == 1 + 11 + 11


def test_a_file_that_is_not_there_is_kept_for_its_turn(tmp_path, problems):
    (video,) = read_inputs([str(tmp_path / "gone.mp4")], problems)
    assert video.media == str(tmp_path / "gone.mp4")
    assert problems.count == 0


def test_a_manifest_that_is_not_there_is_refused(tmp_path, problems):
    with pytest.raises(ManifestError, match="no such file"):
        read_inputs([str(tmp_path / "gone.jsonl")], problems)


def test_a_name_too_long_for_any_file_is_kept_for_its_turn(problems):
    (video,) = read_inputs(["x" * 5000], problems)
    assert video.id == "x" * 5000


def test_a_title_belongs_to_one_file(job, problems):
    (video,) = read_inputs([str(job.clips["low"])], problems, title="a song")
    assert video.title == "a song"
    for inputs in (
        [str(job.clips["low"]), str(job.clips["red"])],
        [str(job.manifest)],
        [str(job.folder / "clips")],
    ):
        with pytest.raises(UsageError, match="A title was given for"):
            read_inputs(inputs, problems, title="a song")


def test_titles_from_file_names_read_the_same_alone_and_in_a_folder(tmp_path, problems):
    (tmp_path / "A_walk.in__the_park.mp4").write_bytes(b"x")
    alone = read_inputs([str(tmp_path / "A_walk.in__the_park.mp4")], problems, titles="filename")
    within = read_inputs([str(tmp_path)], problems, titles="filename")
    assert alone[0].title == within[0].title == "A walk in the park"


def test_titles_from_metadata_are_read_for_files_as_for_folders(tmp_path, problems):
    clip = write_clip(tmp_path / "a.mp4", np.zeros((5, 48, 64, 3), np.uint8), 10.0, title="The title within")
    assert read_inputs([str(tmp_path)], problems, titles="metadata")[0].title == "The title within"
    assert read_inputs([str(clip)], problems, titles="metadata")[0].title == "The title within"


def test_the_title_given_wins_over_the_file_name(job, problems):
    (video,) = read_inputs([str(job.clips["low"])], problems, title="a song", titles="filename")
    assert video.title == "a song"


def test_a_source_of_titles_that_does_not_exist_is_refused():
    assert title_source("metadata") == "metadata"
    with pytest.raises(UsageError, match="no such source") as caught:
        title_source("exif")
    assert caught.value.hint == "Choose: none, filename, metadata."


@pytest.mark.skipif(os.name == "nt", reason="names are bytes elsewhere")
def test_a_name_that_is_no_text_is_kept_for_its_turn(tmp_path, problems):
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4")
    (video,) = read_inputs([name], problems)
    assert video.media == name
