"""A tag is as far as the nearest of its wordings."""

from __future__ import annotations

import numpy as np

from tagtower.index.exact import ExactIndex
from tagtower.index.wordings import NearestWording


def test_agrees_with_a_loop_over_the_wordings_of_each_tag() -> None:
    draw = np.random.default_rng(0)
    counts = [1, 3, 1, 2]
    vectors, queries = draw.normal(size=(sum(counts), 4)), draw.normal(size=(5, 4))
    index = ExactIndex(vectors, "cosine")
    found = NearestWording(index, np.array([0, 1, 4, 5])).distances(queries)
    every = index.distances(queries)
    owners = np.repeat(np.arange(4), counts)
    expected = [[min(row[owners == tag]) for tag in range(4)] for row in every]
    np.testing.assert_array_equal(found, expected)
