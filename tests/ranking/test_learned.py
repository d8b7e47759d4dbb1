"""The learned ranker: it learns an order, gives it again from JSON, and is the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from tagtower.config import RankingSettings
from tagtower.errors import ModelError, TrainingError
from tagtower.ranking.features import FEATURES, MISSING_WHERE_NEW
from tagtower.ranking.learned import LearnedRanker, train_ranker

SETTINGS = RankingSettings(trees=20, depth=3, negatives=0.8)


def task(seed: int = 0):
    """Thirty candidates a video; the right ones have a high second feature, which is missing now and then."""
    rng = np.random.default_rng(seed)
    videos = np.repeat(np.arange(80), 30)
    values = rng.normal(size=(len(videos), len(FEATURES))).astype(np.float32)
    relevant = values[:, 1] + 0.3 * rng.normal(size=len(videos)) > 1.5
    values[rng.random(len(videos)) < 0.05, 1] = np.nan
    return values, videos, relevant


def test_right_candidates_come_first():
    values, _, relevant = task(1)
    scores = train_ranker(*task(), SETTINGS, seed=0)(values)
    assert scores[relevant].mean() > scores[~relevant].mean() + 2 * scores.std()


def test_a_stored_ranker_gives_the_same_scores_to_the_bit():
    ranker, (values, *_) = train_ranker(*task(), SETTINGS, seed=0), task(1)
    again = LearnedRanker.from_json(ranker.to_json())
    np.testing.assert_array_equal(again(values), ranker(values))
    assert ranker.to_json().startswith(b"{")


def test_the_same_seed_gives_the_same_trees():
    first, second = (train_ranker(*task(), SETTINGS, seed=3).to_json() for _ in range(2))
    assert first == second
    assert train_ranker(*task(), SETTINGS, seed=4).to_json() != first


def test_no_candidates_no_scores():
    ranker = train_ranker(*task(), SETTINGS, seed=0)
    assert ranker(np.empty((0, len(FEATURES)), np.float32)).shape == (0,)


def test_nothing_right_is_nothing_to_learn():
    values, videos, relevant = task()
    with pytest.raises(TrainingError, match="None of the ranker's candidates is right"):
        train_ranker(values, videos, np.zeros_like(relevant), SETTINGS, seed=0)


def test_a_ranker_for_other_features_is_refused(monkeypatch):
    stored = train_ranker(*task(), SETTINGS, seed=0).to_json()
    monkeypatch.setattr("tagtower.ranking.learned.FEATURES", FEATURES[1:])
    with pytest.raises(ModelError, match="other features"):
        LearnedRanker.from_json(stored)


def test_a_damaged_ranker_is_refused():
    with pytest.raises(ModelError, match="cannot be read"):
        LearnedRanker.from_json(b'{"learner": 3')


def test_where_no_tag_was_new_being_new_speaks_neither_for_a_tag_nor_against_it():
    rng = np.random.default_rng(0)
    columns = {name: place for place, name in enumerate(FEATURES)}
    videos = np.repeat(np.arange(200), 20)
    values = rng.random((len(videos), len(FEATURES))).astype(np.float32)
    values[:, columns["is_new"]] = 0
    right = values[:, columns["near_votes"]] > 0.8
    ranker = train_ranker(values, videos, right, SETTINGS, seed=0)
    new = values.copy()
    new[:, [columns[name] for name in MISSING_WHERE_NEW]] = np.nan
    new[:, columns["is_new"]] = 1
    high, low = np.quantile(ranker(values), [0.9, 0.1])
    assert low < ranker(new).mean() < (low + high) / 2  # a fifth of all are right, and nobody knows which
