"""Packed search against the unpacked exact index and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from tagtower.errors import InputError
from tagtower.index import exact
from tagtower.index import packed as under_test
from tagtower.index.build import Index, build_index
from tagtower.index.exact import ExactIndex
from tagtower.index.packed import PackedIndex


def some(rows: int, bits: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, bits)).astype(np.float32)


@given(
    bits=st.integers(1, 200), vectors=st.integers(0, 40), queries=st.integers(0, 5), seed=st.integers(0, 99)
)
def test_distances_are_those_of_the_unpacked_index_to_the_bit(bits, vectors, queries, seed) -> None:
    rows, asked = some(vectors, bits, seed), some(queries, bits, seed + 1)
    found = PackedIndex(rows).distances(asked)
    assert found.dtype == np.float32
    assert np.array_equal(found, ExactIndex(rows, "hamming").distances(asked))


def test_distances_agree_with_scipy() -> None:
    vectors, queries = some(70, 130), some(9, 130, 1)
    expected = cdist(queries >= 0, vectors >= 0, "hamming")
    np.testing.assert_allclose(PackedIndex(vectors).distances(queries), expected, rtol=1e-6)


def test_search_and_its_ties_are_those_of_the_unpacked_index() -> None:
    vectors, queries = some(300, 8), some(11, 8, 1)  # 8 bits: many ties
    found, expected = (
        PackedIndex(vectors).search(queries, 40),
        ExactIndex(vectors, "hamming").search(queries, 40),
    )
    assert np.array_equal(found.indices, expected.indices)
    assert np.array_equal(found.distances, expected.distances)


def test_blocks_do_not_change_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    index, queries = PackedIndex(some(50, 70)), some(11, 70, 1)
    whole = index.search(queries, 7)
    monkeypatch.setattr(exact, "BLOCK_ELEMENTS", 64)
    monkeypatch.setattr(under_test, "BLOCK_ELEMENTS", 64)
    parts = index.search(queries, 7)
    assert np.array_equal(parts.indices, whole.indices)
    assert np.array_equal(parts.distances, whole.distances)


def test_a_zero_is_a_positive_component() -> None:
    assert PackedIndex(np.array([[0.0, -1.0]])).distances(np.array([[1.0, 0.0]])).tolist() == [[0.5]]


def test_codes_take_a_bit_a_component() -> None:
    assert PackedIndex(some(100, 256)).nbytes == 100 * 256 // 8


def test_empty_sides_give_empty_answers() -> None:
    assert PackedIndex(np.empty((0, 4))).search(np.ones((2, 4)), 3).indices.shape == (2, 0)
    assert PackedIndex(np.eye(4)).search(np.empty((0, 4)), 3).indices.shape == (0, 3)


def test_vectors_that_are_not_finite_are_refused() -> None:
    with pytest.raises(InputError, match="indexed vectors"):
        PackedIndex(np.array([[np.nan, 1.0]]))
    with pytest.raises(InputError, match="queries"):
        PackedIndex(np.eye(2)).distances(np.array([[np.inf, 1.0]]))


@pytest.mark.parametrize(
    ("kind", "made"), [("cosine", ExactIndex), ("euclidean", ExactIndex), ("hamming", PackedIndex)]
)
def test_the_index_of_a_distance(kind: exact.DistanceKind, made: type) -> None:
    vectors = 2 * np.eye(3) - 1
    index = build_index(vectors, kind)
    assert type(index) is made
    assert isinstance(index, Index)
    assert index.search(vectors[1:2], 1).indices.tolist() == [[1]]
