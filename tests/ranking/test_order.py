"""Orders: candidates by their score and the rest by distance, with probabilities and evidence."""

from __future__ import annotations

import numpy as np
import pytest

from tagtower.config import RankingSettings
from tagtower.index.exact import ExactIndex
from tagtower.ranking.calibration import Calibration, ProbabilityMap
from tagtower.ranking.features import FEATURES
from tagtower.ranking.learned import train_ranker
from tagtower.ranking.order import ByDistance, ByRanker
from tagtower.records import Evidence, MentionEvidence

from .conftest import LIBRARY

CALIBRATION = Calibration(
    ProbabilityMap(np.array([-2.0, 0.0]), np.array([0.0, 1.0])),
    ProbabilityMap(np.array([-2.0, 0.0]), np.array([0.0, 0.5])),
    np.full(99, np.nan),
)


@pytest.fixture
def ranker():
    """A ranker that goes by the length of a mention alone."""
    rng = np.random.default_rng(0)
    values = rng.random((3000, len(FEATURES))).astype(np.float32)
    column = FEATURES.index("mention_words")
    values[:, column] = rng.integers(0, 2, len(values))
    relevant = values[:, column] > 0
    settings = RankingSettings(trees=20, depth=1, negatives=1.0)
    return train_ranker(values, np.repeat(np.arange(100), 30), relevant, settings, seed=0)


def test_by_distance_is_nearest_first_with_ties_by_library(world):
    order = ByDistance(ExactIndex(world.tag_vectors, "cosine"), np.zeros(6, bool))
    (found,) = order(world.near("cooking", noise=0.0)[None], [{}])
    assert found.places[0].tolist() == [2, 3, 0, 1, 4, 5]
    assert found.probabilities is None
    assert found.evidence(0, 2) == Evidence()


def test_by_distance_comes_in_blocks(world, monkeypatch):
    monkeypatch.setattr("tagtower.ranking.order.BLOCK_ELEMENTS", 12)
    order = ByDistance(ExactIndex(world.tag_vectors, "cosine"), np.zeros(6, bool))
    vectors = np.stack([world.near("chess", seed) for seed in range(5)])
    blocks = list(order(vectors, [{}] * 5))
    assert [len(block.places) for block in blocks] == [2, 2, 1]
    places = np.concatenate([block.places for block in blocks])
    distances = ExactIndex(world.tag_vectors, "cosine").distances(vectors)
    np.testing.assert_array_equal(np.argsort(places, axis=1), np.argsort(distances, axis=1, kind="stable"))


def test_the_ranker_orders_candidates_and_distance_the_rest(world, ranker):
    order = ByRanker(world.source(candidates=1, neighbours=1), ranker)
    (found,) = order(world.near("football", noise=0.1)[None], [{"title": "a chess game"}])
    assert found.places[0, 4] == 0  # mentioned
    rest = np.flatnonzero(np.isinf(found.scores[0]))
    assert len(rest)
    by_distance = rest[np.argsort(found.distances[0, rest], kind="stable")]
    assert np.argsort(found.places[0])[-len(rest) :].tolist() == by_distance.tolist()
    np.testing.assert_array_equal(
        found.distances,
        ExactIndex(world.tag_vectors, "cosine").distances(world.near("football", noise=0.1)[None]),
    )


def test_new_tags_have_a_calibration_of_their_own(world):
    order = ByDistance(ExactIndex(world.tag_vectors, "cosine"), np.arange(6) == 5, CALIBRATION)
    (found,) = order(world.near("chess")[None], [{}])
    whole = 1 - found.distances[0] / 2
    np.testing.assert_allclose(
        found.probabilities[0], np.where(np.arange(6) == 5, whole / 2, whole), atol=1e-6
    )


def test_evidence_names_neighbours_and_words(world, ranker):
    source = world.source()
    order = ByRanker(source, ranker)
    (found,) = order(world.near("cooking")[None], [{"title": "My recipes", "description": "cooking"}])
    evidence = found.evidence(0, 2)
    assert evidence.mentions == (
        MentionEvidence("recipes", "title"),
        MentionEvidence("cooking", "description"),
    )
    assert 0 < len(evidence.neighbours) <= 5
    weights = [one.weight for one in evidence.neighbours]
    assert weights == sorted(weights, reverse=True)
    bearers = {one.id for one in world.labelled if "cooking" in one.tags}
    assert {one.id for one in evidence.neighbours} <= bearers
    assert sum(weights) <= 1
    assert found.evidence(0, 5).neighbours == ()
    assert LIBRARY[5].text == "total solar eclipse"
