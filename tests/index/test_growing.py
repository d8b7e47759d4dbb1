"""An index that grows gives the distances of one that was made at once, and what was given out stays as it was."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagtower.index.build import build_index
from tagtower.index.growing import GrowingIndex
from tagtower.index.wordings import SomeOf


@pytest.mark.parametrize("kind", ["cosine", "euclidean", "hamming"])
@given(st.lists(st.integers(0, 9), max_size=12), st.integers(0, 1000))
def test_agrees_with_an_index_made_at_once(kind, sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(sum(sizes), 5)).astype(np.float32)
    queries = rng.normal(size=(3, 5)).astype(np.float32)
    growing = GrowingIndex(kind, 5)
    start = 0
    for size in sizes:
        assert growing.add(vectors[start : start + size]) == start
        start += size
    assert len(growing) == len(growing.so_far()) == len(vectors)
    np.testing.assert_array_equal(
        growing.so_far().distances(queries), build_index(vectors, kind).distances(queries)
    )
    chosen = rng.permutation(len(vectors))
    np.testing.assert_array_equal(growing.vectors(chosen), vectors[chosen])
    np.testing.assert_array_equal(
        SomeOf(growing.so_far(), chosen).distances(queries),
        build_index(vectors, kind).distances(queries)[:, chosen],
    )


def test_what_was_given_out_does_not_change() -> None:
    growing = GrowingIndex("cosine", 2)
    growing.add(np.eye(2, dtype=np.float32))
    before = growing.so_far()
    growing.add(np.ones((5, 2), np.float32))
    assert (len(before), len(growing)) == (2, 7)


def test_adding_one_at_a_time_prepares_each_vector_a_few_times() -> None:
    growing = GrowingIndex("cosine", 2)
    growing.add(np.ones((1024, 2), np.float32))
    first = growing.so_far().parts[0]
    for _ in range(1000):
        growing.add(np.ones((1, 2), np.float32))
    assert growing.so_far().parts[0] is first
    assert len(growing.so_far().parts) <= 11
