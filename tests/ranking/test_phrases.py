"""Phrases of a title: runs of words as they stand there, each compared with tags by itself."""

from __future__ import annotations

import numpy as np
import pytest

from tagtower.ranking.phrases import MOST_WORDS, phrase_features, phrases

AXES = {"slow": 0, "lamb": 1, "stew": 1, "guests": 2}


def read(texts):
    """A direction for each word that is known; a phrase lies between those of its words."""
    found = [np.bincount([AXES[word] for word in text.split()], minlength=3) for text in texts]
    return np.array([one / np.linalg.norm(one) for one in found])


def test_phrases_are_runs_of_up_to_three_words_as_written():
    assert phrases("Slow-cooked lamb: 2nd try") == [
        "Slow", "Slow-cooked", "Slow-cooked lamb",
        "cooked", "cooked lamb", "cooked lamb: 2nd",
        "lamb", "lamb: 2nd", "lamb: 2nd try",
        "2nd", "2nd try",
        "try",
    ]  # fmt: skip
    assert phrases("go go go") == ["go", "go go", "go go go"]
    assert phrases("电影节") == ["电", "电影", "电影节", "影", "影节", "节"]
    assert phrases(" ?! ") == []


def test_a_long_title_costs_no_more_than_its_first_words():
    assert len(phrases(" ".join(map(str, range(1000))))) == 3 * MOST_WORDS - 3


def test_a_tag_is_as_near_as_the_nearest_phrase_and_leads_where_no_other_is_nearer_to_it():
    own = np.eye(3)[[1, 2, 0]]  # stew, guests, slow
    own = np.vstack([own, [0.0, 0.8, 0.6]])  # between stew and guests
    videos, tags = np.array([0, 0, 0, 2]), np.array([0, 1, 3, 2])
    found = phrase_features(read, ["slow lamb guests", "", "slow"], own, videos, tags)
    both = 1.4 / np.sqrt(2)  # "lamb guests", which is nearer to the tag between than to any other
    assert found["phrase_similarity"] == pytest.approx([1.0, 1.0, both, 1.0])
    assert found["phrase_lead"] == pytest.approx([0.0, 0.0, 0.0, 0.0])
    beside = phrase_features(read, ["slow"], own, np.zeros(2, int), np.array([2, 3]))
    assert beside["phrase_lead"] == pytest.approx([0.0, -1.0])


def test_a_title_without_words_is_missing():
    found = phrase_features(read, ["", "slow"], np.eye(3), np.array([0, 1]), np.array([0, 0]))
    assert np.isnan(found["phrase_similarity"]).tolist() == [True, False]
    assert np.isnan(found["phrase_lead"]).tolist() == [True, False]
    nobody = phrase_features(read, [""], np.eye(3), np.array([0]), np.array([0]))
    assert np.isnan(nobody["phrase_similarity"]).all()
