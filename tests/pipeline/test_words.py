"""The texts of a video by field; subtitles that cannot be read are told with file and line."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tagtower.pipeline.extract import Extracted, Failed, FeatureExtractor
from tagtower.pipeline.words import words_of
from tagtower.records import TEXT_FIELDS, Video
from tagtower.towers import build_two_tower

from .conftest import TAGS, TITLES

SRT = "1\n00:00:01,000 --> 00:00:02,000\n<i>a walk</i>\n\n2\nbroken --> here\nlost\n"


def test_only_what_is_asked_for_and_says_something() -> None:
    video = Video("a", title=" a walk ", description=" ", subtitles="spoken words")
    assert words_of(video, ("title", "description")).texts == {"title": "a walk"}
    assert words_of(video, TEXT_FIELDS).texts == {"title": "a walk", "subtitles": "spoken words"}


def test_subtitles_come_from_text_or_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "a.srt"
    file.write_text(SRT)
    written = words_of(
        Video("a", subtitles=SRT.replace("broken --> here", "00:03,0 --> 00:04,0")), TEXT_FIELDS
    )
    assert written.texts == {"subtitles": "a walk lost"}
    read = words_of(Video("a", subtitles=str(file)), TEXT_FIELDS)
    assert read.texts == {"subtitles": "a walk"}
    assert read.problems == (f"{file}:6: is no time from when to when: 'broken --> here'",)


def test_missing_subtitles_are_a_problem_only_if_they_are_read(tmp_path: Path) -> None:
    video = Video("a", title="a walk", subtitles=str(tmp_path / "gone.vtt"))
    assert words_of(video, ("title",)).problems == ()
    found = words_of(video, TEXT_FIELDS)
    assert found.texts == {"title": "a walk"}
    assert found.problems == (f"{tmp_path / 'gone.vtt'}: does not exist",)


def test_features_hold_the_fields_that_the_model_reads(job, decoder, store, tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text(SRT)
    settings = job.settings(
        "image.encoder=none", "audio.frontend=none", "text.fields=title,description,subtitles"
    )
    tower = build_two_tower(settings, TITLES, TAGS).eval()
    videos = [
        Video("all", title="a walk", description="in the park", subtitles=str(tmp_path / "a.srt")),
        Video("described", description="in the park"),
        Video("nothing", str(job.clips["red"])),
    ]
    everything, described, nothing = FeatureExtractor(tower, settings, decoder, store).extract(videos)
    assert isinstance(everything, Extracted)
    (features,) = everything.features
    assert all(features.has_field(field) for field in TEXT_FIELDS)
    assert len(everything.warnings) == 1
    assert isinstance(described, Extracted)
    assert described.features[0].present == ("text",)
    np.testing.assert_array_equal(described.features[0].description, features.description)
    assert isinstance(nothing, Failed)
    assert "a title or a description or subtitles" in nothing.error.message
