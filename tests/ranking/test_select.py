"""R16: the nearest tag, the k nearest, all under a threshold, or the whole sequence."""

from __future__ import annotations

import numpy as np
import pytest

from tagtower.errors import UsageError
from tagtower.ranking.select import rank_tags
from tagtower.records import RankedTag

TEXTS = ["cat", "dog", "eel", "fox"]
DISTANCES = np.array([0.5, 0.25, 0.75, 0.25], dtype=np.float32)


def tags(**limits):
    return [ranked.tag for ranked in rank_tags(DISTANCES, TEXTS, **limits)]


def test_the_nearest_tag():
    assert rank_tags(DISTANCES, TEXTS, top_k=1) == [RankedTag("dog", 1, 0.25)]


def test_the_k_nearest_with_ties_in_library_order():
    assert tags(top_k=3) == ["dog", "fox", "cat"]


def test_all_under_a_threshold_the_threshold_included():
    assert tags(max_distance=0.5) == ["dog", "fox", "cat"]
    assert tags(max_distance=0.1) == []


def test_the_whole_sequence():
    assert tags() == ["dog", "fox", "cat", "eel"]
    assert [ranked.rank for ranked in rank_tags(DISTANCES, TEXTS)] == [1, 2, 3, 4]


def test_both_limits_hold_together():
    assert tags(top_k=1, max_distance=0.5) == ["dog"]
    assert tags(top_k=9, max_distance=0.3) == ["dog", "fox"]


def test_an_empty_library_gives_no_tags():
    assert rank_tags(np.empty(0, dtype=np.float32), [], top_k=5) == []


@pytest.mark.parametrize("limits", [{"top_k": 0}, {"max_distance": -0.1}, {"max_distance": float("nan")}])
def test_senseless_limits_are_refused(limits):
    with pytest.raises(UsageError):
        rank_tags(DISTANCES, TEXTS, **limits)
