"""Labelling: ranked tags by distance, failures in their place, and a library that changes between two calls."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tagtower.library.tags import TagLibrary
from tagtower.pipeline.vectors import embed_videos
from tagtower.records import Tag, Video
from tagtower.usecases.label import Labelled, Unlabelled, label, remaining

LIBRARY = TagLibrary.from_tags(map(Tag, ("red", "green", "blue", "low", "high", "music", "silence")))


@pytest.fixture
def videos(job) -> list[Video]:
    return [
        Video("red", str(job.clips["red"]), "music at the sea"),
        Video("gone", str(job.clips["missing"])),
        Video("low", str(job.clips["low"])),
        Video("nothing"),
        Video("words", None, "a walk"),
    ]


def test_answers_come_in_order_and_failures_take_their_place(session, videos):
    answers = list(label(session, videos, LIBRARY, top_k=3))
    assert [one.video.id for one in answers] == ["red", "gone", "low", "nothing", "words"]
    assert [type(one) for one in answers] == [Labelled, Unlabelled, Labelled, Unlabelled, Labelled]


def test_tags_are_ranked_by_the_distance_of_the_vectors(session, videos):
    answer = next(label(session, videos[:1], LIBRARY))
    (embedded,) = embed_videos(session.model.tower, session.extractor.extract(videos[:1]))
    distances = 1 - session.tags.encode(LIBRARY.texts) @ embedded.vector
    expected = [LIBRARY.texts[row] for row in np.argsort(distances, kind="stable")]
    assert [tag.tag for tag in answer.tags] == expected
    assert [tag.rank for tag in answer.tags] == list(range(1, 8))
    np.testing.assert_allclose([tag.distance for tag in answer.tags], sorted(distances), atol=1e-6)


def test_limits_cut_the_same_sequence(session, videos):
    (everything,) = label(session, videos[:1], LIBRARY)
    (nearest,) = label(session, videos[:1], LIBRARY, top_k=2)
    assert nearest.tags == everything.tags[:2]
    edge = everything.tags[3].distance
    (near,) = label(session, videos[:1], LIBRARY, max_distance=edge)
    assert near.tags == everything.tags[:4]
    (none,) = label(session, videos[:1], LIBRARY, max_distance=0.0)
    assert none.tags == ()
    (both,) = label(session, videos[:1], LIBRARY, max_distance=edge, top_k=1)
    assert both.tags == everything.tags[:1]
    (more,) = label(session, videos[:1], LIBRARY, top_k=100)
    assert more.tags == everything.tags


def test_an_answer_hangs_on_no_neighbour(session, videos):
    together = list(label(session, videos, LIBRARY))
    for video, one in zip(videos, together, strict=True):
        (alone,) = label(session, [video], LIBRARY)
        if isinstance(one, Labelled):
            assert alone.tags == one.tags  # to the last bit


def test_answers_stream(session, job):
    read: list[int] = []

    def endless():
        for number in itertools.count():
            read.append(number)
            yield Video(str(number), None, f"walk {number}")

    stream = label(session, endless(), LIBRARY, top_k=1)
    assert next(stream).video.id == "0"
    assert len(read) < 1000
    stream.close()


def test_a_tag_that_joins_is_used_by_the_next_call_and_the_others_are_kept(session, videos, monkeypatch):
    (before,) = label(session, videos[:1], LIBRARY)
    encoded: list[str] = []
    original = session.model.tower.tag_features
    monkeypatch.setattr(
        session.model.tower, "tag_features", lambda texts: encoded.extend(texts) or original(texts)
    )
    grown = TagLibrary.from_tags([*LIBRARY.tags, Tag("total solar eclipse")])
    (after,) = label(session, videos[:1], grown)
    assert encoded == ["total solar eclipse"]
    assert "total solar eclipse" in {tag.tag for tag in after.tags}
    assert after.library != before.library
    kept = tuple(tag for tag in after.tags if tag.tag != "total solar eclipse")
    assert [(tag.tag, tag.distance) for tag in kept] == [(tag.tag, tag.distance) for tag in before.tags]


def test_the_answer_as_json_has_the_fields_of_the_contract(session, videos, job, monkeypatch):
    monkeypatch.chdir(job.folder)
    good, bad, *_ = (one.to_json() for one in label(session, videos, LIBRARY, top_k=2))
    assert list(good) == [
        "id", "video", "title", "model", "library", "ranker", "tags", "modalities", "seconds",
    ]  # fmt: skip
    assert good["video"] == "clips/red.mp4"
    assert good["model"] == session.model.vector_fingerprint
    assert good["library"] == LIBRARY.version
    assert [list(tag) for tag in good["tags"]] == [["tag", "rank", "distance", "score", "evidence"]] * 2
    assert [tag["score"] for tag in good["tags"]] == [None, None]
    assert good["ranker"] == "tower"
    for tag in good["tags"]:
        evidence = tag["evidence"]
        assert (evidence["neighbours"], evidence["mentions"]) == ([], [])
        assert list(evidence["modalities"]) == ["image", "text"]
        assert 0 <= evidence["second"] <= 1
    assert list(good["modalities"]) == ["image", "audio", "text"]
    assert good["modalities"]["audio"] == 0
    assert sum(good["modalities"].values()) == pytest.approx(1, abs=1e-5)
    assert good["seconds"] > 0
    assert set(bad) == {"id", "video", "title", "error"}
    assert bad["error"] == {"type": "missing", "message": f"{job.clips['missing']}: does not exist"}


def test_a_library_of_one_tag(session, videos):
    (answer,) = label(session, videos[:1], TagLibrary.from_tags([Tag("red")]), top_k=5)
    assert [tag.tag for tag in answer.tags] == ["red"]


def test_what_remains_is_what_has_no_answer(videos):
    done = [
        {"id": "red", "video": videos[0].media, "tags": []},
        {"id": "low", "video": videos[2].media, "error": {}},
        {"id": "words", "video": "another", "tags": []},
        {},
    ]
    assert [video.id for video in remaining(videos, done)] == ["gone", "low", "nothing", "words"]
