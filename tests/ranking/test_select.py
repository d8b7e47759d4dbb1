"""R16: the nearest tag, the k nearest, all under a threshold, or the whole sequence."""

from __future__ import annotations

import numpy as np
import pytest

from tagtower.errors import UsageError
from tagtower.index.exact import ExactIndex
from tagtower.ranking.calibration import Calibration, ProbabilityMap
from tagtower.ranking.order import ByDistance, Ordered
from tagtower.ranking.select import rank_tags
from tagtower.records import Evidence, MentionEvidence, RankedTag

TEXTS = ["cat", "dog", "eel", "fox"]
DISTANCES = np.array([0.5, 0.25, 0.75, 0.25], dtype=np.float32)


def by_distance(distances=DISTANCES) -> Ordered:
    """One video at the origin of a line, with a tag at each distance."""
    order = ByDistance(ExactIndex(distances[:, None], "euclidean"), np.zeros(len(distances), bool))
    (found,) = order(np.zeros((1, 1), np.float32), [{}])
    return found


def by_ranker() -> Ordered:
    """Another order than that of the distances, with probabilities."""
    probabilities = np.array([[0.1, 0.2, 0.9, 0.6]], np.float32)
    as_it_is = ProbabilityMap(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    calibration = Calibration(as_it_is, as_it_is, np.full(99, np.nan))
    evidence = lambda video, tag: Evidence(mentions=(MentionEvidence(TEXTS[tag], "title"),))  # noqa: E731
    return Ordered(DISTANCES[None], probabilities, np.zeros(4, bool), calibration, evidence)


def tags(ordered=None, **limits):
    return [ranked.tag for ranked in rank_tags(ordered or by_distance(), 0, TEXTS, **limits)]


def test_the_nearest_tag():
    assert rank_tags(by_distance(), 0, TEXTS, top_k=1) == [RankedTag("dog", 1, 0.25)]


def test_the_k_nearest_with_ties_in_library_order():
    assert tags(top_k=3) == ["dog", "fox", "cat"]


def test_all_under_a_threshold_the_threshold_included():
    assert tags(max_distance=0.5) == ["dog", "fox", "cat"]
    assert tags(max_distance=0.1) == []


def test_the_whole_sequence():
    assert tags() == ["dog", "fox", "cat", "eel"]
    assert [ranked.rank for ranked in rank_tags(by_distance(), 0, TEXTS)] == [1, 2, 3, 4]


def test_both_limits_hold_together():
    assert tags(top_k=1, max_distance=0.5) == ["dog"]
    assert tags(top_k=9, max_distance=0.3) == ["dog", "fox"]


def test_an_empty_library_gives_no_tags():
    assert rank_tags(by_distance(np.empty(0, dtype=np.float32)), 0, [], top_k=5) == []


@pytest.mark.parametrize("limits", [{"top_k": 0}, {"max_distance": -0.1}, {"max_distance": float("nan")}])
def test_senseless_limits_are_refused(limits):
    with pytest.raises(UsageError):
        rank_tags(by_distance(), 0, TEXTS, **limits)


def test_an_order_of_the_rankers_own_keeps_the_towers_distances():
    expected = [
        RankedTag(
            "eel", 1, 0.75, float(np.float32(0.9)), Evidence(mentions=(MentionEvidence("eel", "title"),))
        ),
        RankedTag(
            "fox", 2, 0.25, float(np.float32(0.6)), Evidence(mentions=(MentionEvidence("fox", "title"),))
        ),
    ]
    assert rank_tags(by_ranker(), 0, TEXTS, top_k=2) == expected


def test_limits_hold_in_any_order():
    assert tags(by_ranker()) == ["eel", "fox", "dog", "cat"]
    assert tags(by_ranker(), max_distance=0.5) == ["fox", "dog", "cat"]
    assert tags(by_ranker(), min_score=0.5) == ["eel", "fox"]
    assert tags(by_ranker(), min_score=0.95) == []
    assert [tag.rank for tag in rank_tags(by_ranker(), 0, TEXTS, max_distance=0.3)] == [1, 2]


def test_a_least_probability_needs_probabilities():
    with pytest.raises(UsageError, match="no calibration"):
        tags(min_score=0.5)
