"""Bursts: what is in many more entries than its own past lets one expect, and of phrases within each other, one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagtower.library.topics.bursts import PhraseCount, burst_score, bursting


def burst(counts, now_total=50, past_total=2000):
    phrases = {key: PhraseCount(key, key, now, past) for key, (now, past) in counts.items()}
    return [one.key for one in bursting(phrases, now_total, past_total, min_score=3.0, min_entries=2)]


def test_what_is_as_frequent_as_ever_does_not_burst():
    assert burst({"weather": (15, 600), "eclipse": (6, 2)}) == ["eclipse"]


def test_without_a_past_only_what_is_in_several_entries_bursts():
    assert burst({"eclipse": (4, 0), "storm": (2, 0)}, past_total=0) == ["eclipse"]


def test_one_entry_is_no_burst_however_new_it_is():
    assert burst({"eclipse": (1, 0)}) == []


def test_a_phrase_gives_way_to_the_longer_one_that_holds_it():
    counts = {"solar": (6, 0), "eclipse": (7, 0), "solar eclipse": (6, 0), "solar eclipse crosses": (2, 0)}
    assert burst(counts) == ["solar eclipse"]


def test_a_phrase_without_spaces_gives_way_too():
    assert burst({"日食": (5, 0), "皆既日食": (5, 0), "既日": (5, 0)}) == ["皆既日食"]


def test_the_strongest_comes_first():
    assert burst({"a b": (5, 0), "c d": (9, 0), "e f": (3, 0)}) == ["c d", "a b", "e f"]


@given(now=st.integers(0, 100), past=st.integers(0, 1000), total=st.integers(100, 1000))
def test_more_now_scores_higher_and_more_in_the_past_scores_lower(now, past, total):
    score = burst_score(now, total, past, 1000 + past)
    assert burst_score(now + 1, total, past, 1000 + past) > score
    assert burst_score(now, total, past + 1, 1000 + past) <= score


@pytest.mark.parametrize("totals", [(0, 0), (1, 0)])
def test_an_empty_feed_bursts_with_nothing(totals):
    assert burst({}, *totals) == []
