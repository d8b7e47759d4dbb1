"""The bootstrap interval of a paired difference."""

from __future__ import annotations

import numpy as np
import pytest

from tagtower.errors import InputError
from tagtower.evaluation import bootstrap as under_test
from tagtower.evaluation.bootstrap import bootstrap_interval


def test_a_constant_difference_leaves_no_doubt():
    found = bootstrap_interval(np.array([0.5, 0.9, 0.2]), np.array([0.25, 0.65, -0.05]), seed=0)
    assert (found.difference, found.low, found.high) == pytest.approx((0.25, 0.25, 0.25))
    assert found.clear_of_zero


def test_the_interval_is_near_the_normal_one_for_many_videos():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.52, 0.2, 2000), rng.normal(0.5, 0.2, 2000)
    found = bootstrap_interval(a, b, seed=1)
    error = 1.96 * (a - b).std() / np.sqrt(2000)
    assert found.low == pytest.approx((a - b).mean() - error, abs=0.001)
    assert found.high == pytest.approx((a - b).mean() + error, abs=0.001)


def test_noise_alone_is_not_clear_of_zero():
    noise = np.random.default_rng(0).normal(0, 1, 50)
    assert not bootstrap_interval(noise, noise[::-1].copy(), seed=0).clear_of_zero


def test_one_seed_gives_one_interval_whatever_the_block(monkeypatch):
    rng = np.random.default_rng(0)
    a, b = rng.random(30), rng.random(30)
    whole = bootstrap_interval(a, b, seed=4)
    monkeypatch.setattr(under_test, "BLOCK_ELEMENTS", 1000)
    assert bootstrap_interval(a, b, seed=4) == whole
    assert bootstrap_interval(a, b, seed=5) != whole


def test_videos_without_a_score_are_left_out():
    a, b = np.array([1.0, np.nan, 0.0]), np.array([0.0, np.nan, 0.0])
    assert bootstrap_interval(a, b, seed=0).videos == 2


def test_a_score_under_one_model_only_is_refused():
    with pytest.raises(InputError, match="one model only"):
        bootstrap_interval(np.array([1.0, np.nan]), np.array([1.0, 0.0]), seed=0)


def test_no_scores_at_all_are_refused():
    with pytest.raises(InputError, match="No video"):
        bootstrap_interval(np.array([np.nan]), np.array([np.nan]), seed=0)
