"""A sweep finds what the exact index finds, whatever the blocks, the limits and the ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagtower.errors import InputError
from tagtower.index.exact import ExactIndex
from tagtower.index.sweep import Sweep

KINDS = ("cosine", "euclidean", "hamming")


@st.composite
def sweeps(draw: st.DrawFn) -> dict:
    """Stored vectors with many ties, targets of one to three queries, limits, and a way to cut into blocks."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    width = draw(st.integers(1, 9))
    stored = random.integers(-2, 3, (draw(st.integers(1, 60)), width)).astype(np.float32)
    stored += random.choice([0.0, 1e-4], stored.shape).astype(np.float32)
    lengths = draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    queries = random.integers(-2, 3, (sum(lengths), width)).astype(np.float32)
    return {
        "kind": draw(st.sampled_from(KINDS)),
        "stored": stored,
        "ids": random.permutation(1000)[: len(stored)].astype(np.int64),
        "queries": queries,
        "first": np.cumsum([0, *lengths[:-1]]),
        "limits": np.array([draw(st.sampled_from([0.0, 0.3, 1.0, 2.0, np.inf])) for _ in lengths]),
        "most": draw(st.integers(0, 70)),
        "block": draw(st.integers(1, 61)),
    }


def unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)


@given(sweeps())
def test_it_finds_what_the_exact_index_finds(case: dict) -> None:
    stored = unit(case["stored"]) if case["kind"] == "cosine" else case["stored"]
    sweep = Sweep(case["queries"], case["first"], case["kind"], case["limits"], case["most"])
    for start in range(0, len(stored), case["block"]):
        rows = slice(start, start + case["block"])
        sweep(case["ids"][rows], stored[rows])
    every = ExactIndex(stored, case["kind"]).distances(case["queries"])
    expected = np.minimum.reduceat(every, case["first"], axis=0)
    for target, found in enumerate(sweep.found()):
        distances, limit = expected[target], case["limits"][target]
        # Where a distance is the limit, up to the last digit, either answer is right.
        sure, perhaps = (distances < limit - 1e-6).sum(), (distances <= limit + 1e-6).sum()
        assert sure <= found.count <= perhaps
        assert len(found.ids) == min(found.count, case["most"])
        assert found.distances == pytest.approx(np.sort(distances)[: len(found.ids)], abs=1e-6)
        place = {one: row for row, one in enumerate(case["ids"])}
        assert [distances[place[one]] for one in found.ids] == pytest.approx(found.distances, abs=1e-6)
        assert list(zip(found.distances, found.ids, strict=True)) == sorted(
            zip(found.distances, found.ids, strict=True)
        )


def test_it_counts_beyond_what_it_keeps() -> None:
    stored = unit(np.random.default_rng(3).standard_normal((9000, 16)).astype(np.float32))
    query = stored[:1]
    sweep = Sweep(query, np.array([0]), "cosine", np.array([0.9]), most=5)
    for start in range(0, 9000, 700):
        sweep(np.arange(start, min(start + 700, 9000)), stored[start : start + 700])
    distances = ExactIndex(stored, "cosine").distances(query)[0]
    (found,) = sweep.found()
    assert found.count == (distances <= 0.9).sum()
    assert found.ids.tolist() == np.argsort(distances, kind="stable")[:5].tolist()


def test_vectors_of_another_width_are_refused() -> None:
    sweep = Sweep(np.ones((1, 4), np.float32), np.array([0]), "cosine", np.array([1.0]), most=5)
    with pytest.raises(InputError, match="width 3"):
        sweep(np.array([1]), np.ones((1, 3), np.float32))
