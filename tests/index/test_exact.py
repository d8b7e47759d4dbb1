"""Exact search against loops over sorted lists."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.spatial.distance import cdist

from tagtower.errors import InputError
from tagtower.index import exact as under_test
from tagtower.index.exact import ExactIndex, nearest

KINDS = ["cosine", "euclidean"]


@pytest.mark.parametrize("kind", KINDS)
def test_distances_agree_with_scipy(kind):
    rng = np.random.default_rng(0)
    vectors, queries = (
        rng.normal(size=(70, 12)).astype(np.float32),
        rng.normal(size=(9, 12)).astype(np.float32),
    )
    found = ExactIndex(vectors, kind).distances(queries)
    np.testing.assert_allclose(found, cdist(queries, vectors, kind), rtol=1e-6, atol=1e-6)


@given(
    arrays.arrays(
        np.float32, st.tuples(st.integers(1, 5), st.integers(1, 12)), elements=st.sampled_from([0, 0.5, 1])
    ),
    st.data(),
)
def test_nearest_equals_a_sorted_list_also_with_ties(distances, data):
    k = data.draw(st.integers(0, distances.shape[1]))
    expected = [
        sorted(range(len(row)), key=lambda column: (row[column], column))[:k] for row in distances.tolist()
    ]
    assert nearest(distances, k).tolist() == expected


@pytest.mark.parametrize("kind", KINDS)
def test_search_is_the_head_of_the_sorted_distances(kind):
    rng = np.random.default_rng(1)
    index = ExactIndex(rng.normal(size=(200, 8)), kind)
    queries = rng.normal(size=(17, 8))
    found = index.search(queries, 6)
    order = np.argsort(index.distances(queries), axis=1, kind="stable")[:, :6]
    np.testing.assert_array_equal(found.indices, order)
    np.testing.assert_array_equal(
        found.distances, np.take_along_axis(index.distances(queries), order, axis=1)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_equal_vectors_tie_wherever_they_stand_and_rank_in_their_order(kind):
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(1003, 37)).astype(np.float32)
    twins = [0, 5, 501, 1002]
    vectors[twins] = vectors[5]
    found = ExactIndex(vectors, kind).search(vectors[5:6], 4)
    assert found.indices.tolist() == [twins]
    assert len(set(found.distances[0].tolist())) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_and_batches_do_not_change_the_answer(kind, monkeypatch):
    rng = np.random.default_rng(3)
    index, queries = ExactIndex(rng.normal(size=(50, 6)), kind), rng.normal(size=(11, 6))
    whole = index.search(queries, 7)
    monkeypatch.setattr(under_test, "BLOCK_ELEMENTS", 64)
    parts = index.search(queries, 7)
    np.testing.assert_array_equal(parts.indices, whole.indices)
    np.testing.assert_array_equal(parts.distances, whole.distances)


def test_fewer_vectors_than_asked_for_give_all_of_them():
    assert ExactIndex(np.eye(3), "cosine").search(np.eye(3)[:1], 10).indices.tolist() == [[0, 1, 2]]


def test_an_empty_index_and_no_queries_give_empty_answers():
    assert ExactIndex(np.empty((0, 4)), "cosine").search(np.ones((2, 4)), 3).indices.shape == (2, 0)
    assert ExactIndex(np.eye(4), "cosine").search(np.empty((0, 4)), 3).indices.shape == (0, 3)


def test_a_vector_of_zeros_is_at_one_from_everything():
    assert ExactIndex(np.zeros((1, 3)), "cosine").distances(np.eye(3)).tolist() == [[1.0], [1.0], [1.0]]


def test_vectors_that_are_not_finite_are_refused():
    with pytest.raises(InputError, match="indexed vectors"):
        ExactIndex(np.array([[np.nan, 1.0]]), "cosine")
    with pytest.raises(InputError, match="queries"):
        ExactIndex(np.eye(2), "cosine").distances(np.array([[np.inf, 1.0]]))


@pytest.mark.parametrize("kind", ["cosine", "euclidean"])
def test_an_index_too_large_to_be_kept_ready_answers_the_same(
    kind: under_test.DistanceKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    vectors, queries = rng.normal(size=(50, 8)), rng.normal(size=(3, 8))
    ready = ExactIndex(vectors, kind).distances(queries)
    monkeypatch.setattr(under_test, "PREPARED_ELEMENTS", 0)
    assert np.array_equal(ExactIndex(vectors, kind).distances(queries), ready)
