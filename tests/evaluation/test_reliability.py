"""Probabilities beside what happened: bins, errors, and precision over the surest videos, by plain loops."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tagtower.evaluation.reliability import BINS, judge_probabilities, precision_by_coverage, reliability


def test_figures_by_their_definitions():
    rng = np.random.default_rng(0)
    said = np.append(rng.random(500), [0.0, 1.0])
    right = rng.random(502) < said**2
    found = reliability(said, right)
    error = 0.0
    for number in range(BINS):
        inside = [
            row for row, one in enumerate(said) if number <= one * BINS < number + 1 + (number == BINS - 1)
        ]
        assert found.counts[number] == len(inside)
        assert found.said[number] == pytest.approx(said[inside].mean())
        assert found.found[number] == pytest.approx(right[inside].mean())
        error += len(inside) / len(said) * abs(said[inside].mean() - right[inside].mean())
    assert found.calibration_error == pytest.approx(error)
    assert found.brier == pytest.approx(np.mean([(p - y) ** 2 for p, y in zip(said, right, strict=True)]))
    assert found.base_brier == pytest.approx(np.mean((right.mean() - right) ** 2))


def test_true_probabilities_have_no_error_and_beat_the_base_rate():
    rng = np.random.default_rng(1)
    said = rng.random(50_000)
    found = reliability(said, rng.random(50_000) < said)
    assert found.calibration_error < 0.01
    assert found.brier < found.base_brier


def test_perfect_probabilities_on_few_pairs_show_an_error_by_chance():
    rng = np.random.default_rng(2)
    said = rng.random(100)
    errors = [reliability(said, rng.random(100) < said).calibration_error for _ in range(300)]
    chance = reliability(said, np.ones(100, bool)).chance_error
    assert chance == pytest.approx(np.mean(errors), rel=0.1)
    assert chance > 0.05


def test_empty_bins_count_for_nothing():
    found = reliability(np.full(4, 0.5), np.array([True, True, False, False]))
    assert found.calibration_error == 0
    assert found.counts.sum() == 4
    assert np.isnan(found.said).sum() == BINS - 1


def test_silence_on_the_least_sure_videos_buys_precision():
    found = precision_by_coverage(np.array([0.1, 0.9, 0.5, 0.7]), np.array([0, 5, 1, 4]))
    assert found.coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert found.precision.tolist() == pytest.approx([1.0, 0.9, 10 / 15, 0.5])
    assert found.at(0.5) == pytest.approx(0.9)


def test_only_shown_tags_of_labelled_videos_are_judged_and_seen_and_new_ones_apart():
    places = np.argsort(np.random.default_rng(0).random((3, 20)), axis=1).astype(np.float32)
    relevant = np.zeros((3, 20), bool)
    relevant[0, np.argsort(places[0])[:5]] = True
    relevant[1, 0] = True
    seen = np.arange(20) < 15
    found = judge_probabilities(places, np.full((3, 20), 0.3, np.float32), relevant, seen)
    shown = places[:2] < 10
    assert found.all.pairs == 20
    assert found.seen.pairs == (shown & seen).sum()
    assert found.unseen.pairs == (shown & ~seen).sum()
    assert judge_probabilities(places, np.zeros((3, 20)), relevant, np.ones(20, bool)).unseen is None
    json.dumps(found.to_json(), allow_nan=False)
    assert list(found.to_json()["precision@5"]) == ["1", "0.5", "0.25"]
