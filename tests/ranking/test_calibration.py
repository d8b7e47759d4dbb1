"""Calibration: probabilities that hold, apart for new tags, and thresholds that keep their word."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tagtower.errors import UsageError
from tagtower.ranking.calibration import (
    LEAST_HITS,
    THRESHOLDS,
    Calibration,
    fit_calibration,
    fit_curve,
    fit_map,
)


def pairs(seed: int, count: int = 20_000):
    """Scores of which the probability is known: new tags are right half as often at the same score."""
    rng = np.random.default_rng(seed)
    scores, new = rng.normal(size=count), rng.random(count) < 0.3
    truth = np.where(new, 0.5, 1.0) / (1 + np.exp(-2 * scores))
    return scores, rng.random(count) < truth, new, rng.random(count) < 0.5, truth


def pool(shares: list[float], weights: list[float]) -> list[float]:
    """Pool adjacent violators, one at a time: neighbours that fall are replaced by their mean."""
    blocks: list[list[float]] = []
    for share, weight in zip(shares, weights, strict=True):
        blocks.append([share, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (low, first, many), (high, second, more) = blocks[-2:]
            mean = (low * first + high * second) / (first + second)
            blocks[-2:] = [[mean, first + second, many + more]]
    return [mean for mean, _, count in blocks for _ in range(int(count))]


def test_the_map_is_that_of_pooling_by_hand():
    scores, hits, *_ = pairs(0, 2000)
    scores = scores.round(1)  # with ties
    values = np.unique(scores)
    shares = [hits[scores == value].mean() for value in values]
    expected = pool(shares, [float((scores == value).sum()) for value in values])
    found = fit_map(scores, hits)
    np.testing.assert_allclose(found(values), expected, atol=1e-9)
    assert len(found.scores) < len(values)
    assert found(np.array([-9.0, 9.0])).tolist() == [found.probabilities[0], found.probabilities[-1]]


def test_the_curve_finds_a_logistic_truth_from_few_pairs_better_than_the_free_form():
    curve_error, free_error = [], []
    where = np.linspace(-2, 2, 41)
    for seed in range(10):
        scores, hits, new, *_ = pairs(seed, 400)
        scores, hits = scores[~new], hits[~new]
        truth = 1 / (1 + np.exp(-2 * where))
        curve_error.append(np.abs(fit_curve(scores, hits)(where) - truth).mean())
        free_error.append(np.abs(fit_map(scores, hits)(where) - truth).mean())
    assert np.mean(curve_error) < 0.05 < np.mean(free_error)


def test_a_curve_never_falls():
    scores = np.linspace(-1, 1, 200)
    found = fit_curve(scores, scores < 0)
    assert (np.diff(found.probabilities) >= 0).all()


def test_probabilities_hold_on_other_pairs_for_known_and_new_tags_apart():
    scores, hits, new, shown, _ = pairs(0)
    calibration = fit_calibration(scores, hits, new, shown)
    scores, _, new, _, truth = pairs(1)
    error = np.abs(calibration(scores, new) - truth)
    assert error[new].mean() < 0.02
    assert error[~new].mean() < 0.02


def test_a_threshold_keeps_its_word():
    scores, hits, new, shown, _ = pairs(0)
    calibration = fit_calibration(scores, hits, new, shown)
    said = calibration(scores, new)
    for wanted in (0.3, 0.6, 0.8):
        threshold = calibration.threshold(wanted)
        assert hits[shown & (said >= threshold)].mean() >= wanted
        lower = THRESHOLDS[threshold > THRESHOLDS]
        if len(lower):
            assert hits[shown & (said >= lower[-1])].mean() < wanted


def test_what_was_never_reached_is_not_promised():
    scores, _, new, shown, _ = pairs(0)
    calibration = fit_calibration(scores, np.random.default_rng(0).random(len(scores)) < 0.2, new, shown)
    with pytest.raises(UsageError, match=r"reaches no precision of 0\.99"):
        calibration.threshold(0.99)
    for wrong in (0.0, 1.5, float("nan")):
        with pytest.raises(UsageError, match="was asked for"):
            calibration.threshold(wrong)


def test_too_few_hits_fit_nothing_and_too_few_new_ones_share_the_whole_map():
    scores, hits, new, shown, _ = pairs(0, 2000)
    few = hits & (np.cumsum(hits) < LEAST_HITS)
    assert fit_calibration(scores, few, new, shown) is None
    rare = new & (np.cumsum(new & hits) < LEAST_HITS)
    calibration = fit_calibration(scores, hits, rare, shown)
    np.testing.assert_array_equal(calibration.new(scores), fit_curve(scores, hits)(scores))


def test_json_gives_it_back():
    scores, hits, new, shown, _ = pairs(0, 5000)
    calibration = fit_calibration(scores, hits, new, shown)
    again = Calibration.from_json(json.loads(json.dumps(calibration.to_json(), allow_nan=False)))
    np.testing.assert_array_equal(again(scores, new), calibration(scores, new))
    np.testing.assert_array_equal(again.precisions, calibration.precisions)


def test_a_tag_that_was_no_candidate_has_the_lowest_probability():
    scores, hits, new, shown, _ = pairs(0)
    calibration = fit_calibration(scores, hits, new, shown)
    lowest = calibration(np.array([-np.inf]), np.array([False]))
    assert lowest == calibration.known.probabilities[0]
