"""Labelled videos: what is kept of each, and how further ones join."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from tagtower.ranking.neighbours import LabelledVideo, LabelledVideos, join_neighbours, labelled_videos


def content(found: LabelledVideos) -> dict[str, tuple[set[str], set[str], list[float], float]]:
    """Everything that is known of each video, by its id."""
    tags, grams = found.tags.toarray() > 0, found.grams.toarray() > 0
    return {
        name: (
            {found.tag_texts[column] for column in np.flatnonzero(tags[row])},
            {found.vocabulary[column] for column in np.flatnonzero(grams[row])},
            found.vectors[row].tolist(),
            float(found.days[row]),
        )
        for row, name in enumerate(found.ids)
    }


def videos(*rows: tuple[str, tuple[str, ...], str], shift: float = 0.0) -> LabelledVideos:
    listed = [LabelledVideo(name, tags, text, datetime(1970, 1, 3, tzinfo=UTC)) for name, tags, text in rows]
    return labelled_videos(listed, np.full((len(rows), 2), shift, np.float32))


FIRST = videos(("a", ("cat", "cat", "dog"), "Two cats"), ("b", ("dog",), "dog"))
SECOND = videos(("c", ("bird", "cat"), "two birds"), ("a", ("bird",), "a bird"), shift=1.0)


def test_tags_words_and_times_of_each_video():
    assert content(FIRST) == {
        "a": ({"cat", "dog"}, {"two", "cat", "two cat"}, [0.0, 0.0], 2.0),
        "b": ({"dog"}, {"dog"}, [0.0, 0.0], 2.0),
    }


def test_of_a_video_in_both_the_later_word_counts():
    joined = content(join_neighbours(FIRST, SECOND))
    assert list(joined) == ["b", "c", "a"]
    assert joined == {"b": content(FIRST)["b"], **content(SECOND)}


def test_a_time_that_is_not_known_is_no_time():
    found = labelled_videos([LabelledVideo("a", ("x",), "", None)], np.zeros((1, 2), np.float32))
    assert np.isnan(found.days).all()
    assert found.grams.shape == (1, 0)


def test_some_of_them():
    assert content(FIRST.take([1])) == {"b": content(FIRST)["b"]}
