"""Shapes are signed distances of about unit radius, and no two of them look alike."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from tagtower.usecases.demo_corpus.shapes import SHAPES

_Y, _X = np.mgrid[-1.5:1.5:121j, -1.5:1.5:121j].astype(np.float32)
_STEP = 3 / 120


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_fills_a_fair_part_of_its_radius_and_stays_within_it(shape: str) -> None:
    inside = SHAPES[shape](_X, _Y) < 0
    assert 0.25 < inside.sum() * _STEP**2 / np.pi < 0.9
    assert np.hypot(_X, _Y)[inside].max() < 1.15


@pytest.mark.parametrize("shape", SHAPES)
def test_a_distance_changes_by_no_more_than_the_way_walked(shape: str) -> None:
    away = SHAPES[shape](_X, _Y)
    for axis in (0, 1):
        assert np.abs(np.diff(away, axis=axis)).max() <= _STEP * 1.01


@pytest.mark.parametrize(("one", "other"), combinations(SHAPES, 2))
def test_two_shapes_differ_in_a_good_part_of_their_area(one: str, other: str) -> None:
    a, b = SHAPES[one](_X, _Y) < 0, SHAPES[other](_X, _Y) < 0
    assert (a ^ b).sum() / (a | b).sum() > 0.15
