"""Exact search: every distance is computed, none is estimated; the oracle of every other index."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, final

import numpy as np
from jaxtyping import Float, Float32, Int64

from tagtower.errors import InputError

DistanceKind: TypeAlias = Literal["cosine", "euclidean", "hamming"]

BLOCK_ELEMENTS = 1 << 22
"""Distances, or components of vectors, held in float64 at one time; 32 MiB."""

PREPARED_ELEMENTS = 1 << 26
"""Components of an index up to which its vectors are kept ready in float64, 512 MiB; larger ones are converted a block
at a time at every search. 100,000 tags of width 384 take 300 MiB, and 28 ms a video in place of 250 ms."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest vectors of each query, nearest first: their rows in the index, and their distances."""

    indices: Int64[np.ndarray, "query k"]
    distances: Float32[np.ndarray, "query k"]


@final
class ExactIndex:
    """Vectors in a fixed order, searched by computing the distance to each.

    Sums run in float64 and the distances are rounded to float32 at the end. In float32 two equal vectors come
    out different in the last digit, by their place in the matrix, and ties would not be ties.
    """

    def __init__(self, vectors: Float[np.ndarray, "vector dim"], kind: DistanceKind) -> None:
        """Index `vectors`, which need not have unit length.

        Raises:
            InputError: a vector is not finite.
        """
        check_finite(vectors, "indexed vectors")
        self.kind: DistanceKind = kind
        self._vectors = np.ascontiguousarray(vectors)
        self._prepared: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self._vectors)

    def distances(self, queries: Float[np.ndarray, "query dim"]) -> Float32[np.ndarray, "query vector"]:
        """Return the distance of each query from each vector.

        That is 1 - cosine in [0, 2], L2 in [0, inf), or the share of components that differ in sign, in [0, 1]. A
        vector of zeros has no direction: its cosine distance is 1 from everything.

        Raises:
            InputError: a query is not finite.
        """
        check_finite(queries, "queries")
        exact = _prepare(queries, self.kind)
        if self._prepared is None and self._vectors.size <= PREPARED_ELEMENTS:
            self._prepared = _prepare(self._vectors, self.kind)
        found = np.empty((len(queries), len(self)), dtype=np.float32)
        step = max(1, BLOCK_ELEMENTS // max(1, *self._vectors.shape[1:], len(queries)))
        for start in range(0, len(self), step):
            columns = slice(start, start + step)
            if self._prepared is not None:
                block = self._prepared[columns]
            else:
                block = _prepare(self._vectors[columns], self.kind)
            found[:, columns] = _pairwise(exact, block, self.kind)
        return found

    def search(self, queries: Float[np.ndarray, "query dim"], k: int) -> Neighbours:
        """Return the k nearest vectors of each query, or all where there are fewer; ties by index order.

        Raises:
            InputError: a query is not finite.
        """
        return search_in_blocks(self.distances, len(self), queries, k)


def search_in_blocks(
    distances: Callable[[Float[np.ndarray, "query dim"]], Float32[np.ndarray, "query vector"]],
    vectors: int,
    queries: Float[np.ndarray, "query dim"],
    k: int,
) -> Neighbours:
    """Return the k nearest of so many vectors for each query, asking for the `distances` of a few queries at a time."""
    kept = min(k, vectors)
    indices = np.empty((len(queries), kept), dtype=np.int64)
    found = np.empty((len(queries), kept), dtype=np.float32)
    step = max(1, BLOCK_ELEMENTS // max(1, vectors))
    for start in range(0, len(queries), step):
        rows = slice(start, start + step)
        block = distances(queries[rows])
        indices[rows] = nearest(block, kept)
        found[rows] = np.take_along_axis(block, indices[rows], axis=1)
    return Neighbours(indices, found)


def nearest(distances: Float[np.ndarray, "query vector"], k: int) -> Int64[np.ndarray, "query k"]:
    """Return the columns of the k smallest distances of each row, smallest first, ties by column order.

    k is at most the number of columns, and no distance is NaN.
    """
    rows = len(distances)
    if k == 0 or rows == 0:
        return np.empty((rows, k), dtype=np.int64)
    kth = np.partition(distances, k - 1, axis=1)[:, k - 1, None]
    # A partition alone keeps any of the columns that tie for the last place; taking all of them first, and
    # cutting after the stable sort, keeps the ones that come first.
    row, column = np.nonzero(distances <= kth)
    order = np.lexsort((column, distances[row, column], row))
    begins = np.searchsorted(row, np.arange(rows))
    return np.asarray(column[order][begins[:, None] + np.arange(k)], dtype=np.int64)


def _prepare(vectors: Float[np.ndarray, "vector dim"], kind: DistanceKind) -> Float[np.ndarray, "vector dim"]:
    """The vectors in float64, at length one under cosine, as signs under hamming."""
    if kind == "hamming":
        return np.where(vectors >= 0, 1.0, -1.0)
    exact = vectors.astype(np.float64)
    return _unit(exact) if kind == "cosine" else exact


def _pairwise(
    queries: Float[np.ndarray, "query dim"], vectors: Float[np.ndarray, "vector dim"], kind: DistanceKind
) -> Float[np.ndarray, "query vector"]:
    if kind == "cosine":
        found = np.clip(1.0 - queries @ vectors.T, 0.0, 2.0)
    elif kind == "hamming":
        width = queries.shape[1]
        found = (width - queries @ vectors.T) / 2 / width
    else:
        squares = (queries**2).sum(axis=1)[:, None] + (vectors**2).sum(axis=1) - 2.0 * (queries @ vectors.T)
        found = np.sqrt(np.maximum(squares, 0.0))
    return np.asarray(found)


def _unit(vectors: Float[np.ndarray, "vector dim"]) -> Float[np.ndarray, "vector dim"]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1.0))


def check_finite(vectors: Float[np.ndarray, "vector dim"], what: str) -> None:
    """Refuse vectors among which no distance has a meaning; `what` names them.

    Raises:
        InputError: one is not finite.
    """
    if not np.isfinite(vectors).all():
        raise InputError(
            f"Some {what} are not finite.",
            hint="The model that made them is broken: was it trained with a learning rate that diverged?",
        )
