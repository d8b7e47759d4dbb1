"""A sweep: every stored vector is held against a few queries, block by block, and the near ones are kept, exactly.

Most pairs are decided in float32, where a bound on its rounding leaves no doubt; the rest is computed in float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64

from tagtower.errors import InputError
from tagtower.index.exact import DistanceKind, check_finite

ROUNDING = 2.0**-23
"""Twice the unit roundoff of float32. A product of two vectors of width W that is summed up in any order is off by at
most W times half of this, times both lengths (Higham, "Accuracy and Stability of Numerical Algorithms", 2002,
section 3.1)."""

UNIT = 1e-6
"""How far the length of a vector may be from one that counts as of length one."""


@dataclass(frozen=True, slots=True, eq=False)
class Near:
    """What is within the limit of one target: how many, and the nearest of them, nearest first, ties by id."""

    count: int
    ids: Int64[np.ndarray, "found"]
    distances: Float32[np.ndarray, "found"]


@final
class Sweep:
    """Gathers, from blocks of stored vectors, those within a limit of each target.

    A target is a query, or several of which the nearest counts, as a tag and its aliases are. Under cosine the stored
    vectors have length one, up to `UNIT`.
    """

    def __init__(
        self,
        queries: Float[np.ndarray, "query dim"],
        first: Int64[np.ndarray, "tag"],
        kind: DistanceKind,
        limits: Float64[np.ndarray, "tag"],
        most: int,
    ) -> None:
        """Prepare a sweep.

        Args:
            first: the place of each target's first query; the queries of a target stand in a row.
            limits: the largest distance that counts, infinity for any.
            most: how many of a target are kept; all within its limit are counted.
        Raises:
            InputError: a query is not finite.
        """
        check_finite(queries, "queries")
        self._kind = kind
        self._exact = prepare(queries, kind)
        self._rough = np.ascontiguousarray(self._exact.astype(np.float32).T)
        self._lengths = np.linalg.norm(self._exact, axis=1)
        self._first = np.asarray(first, np.int64)
        self._ends = np.append(self._first[1:], len(queries))
        self._grouped = len(first) != len(queries)
        self._most = most
        self._limits = np.asarray(limits, np.float64)
        # Beyond these a vector may count but is no longer kept.
        self._cuts = self._limits.copy() if most else np.full(len(first), -np.inf)
        self._counts = np.zeros(len(first), np.int64)
        self._ids: list[list[np.ndarray]] = [[] for _ in first]
        self._distances: list[list[np.ndarray]] = [[] for _ in first]
        self._held = np.zeros(len(first), np.int64)

    def __call__(self, ids: Int64[np.ndarray, "row"], vectors: Float[np.ndarray, "row dim"]) -> None:
        """Look at a block of stored vectors, of the width of the queries, each with its id.

        Raises:
            InputError: the vectors have another width.
        """
        if vectors.shape[1:] != (self._exact.shape[1],):
            raise InputError(
                f"Vectors of width {vectors.shape[-1]} were held against one of {self._exact.shape[1]}.",
                hint="They are of two different models.",
            )
        if not len(ids):
            return
        rough, bound = self._roughly(vectors)
        if self._grouped:
            rough = np.minimum.reduceat(rough, self._first, axis=1)
        looked = rough <= (self._cuts + bound).astype(np.float32)
        full = np.flatnonzero(self._cuts < self._limits)
        if len(full):  # what counts is no longer all that is kept
            outer, limits = rough[:, full], self._limits[full]
            sure = outer <= (limits - bound).astype(np.float32)
            looked[:, full] |= ~sure & (outer <= (limits + bound).astype(np.float32))
            self._counts[full] += (sure & ~looked[:, full]).sum(axis=0)
        for target in np.flatnonzero(looked.any(axis=0)):
            self._look(int(target), np.flatnonzero(looked[:, target]), ids, vectors)

    def found(self) -> list[Near]:
        """Return what was found for each target."""
        for target in range(len(self._first)):
            self._prune(target)
        return [
            Near(
                int(self._counts[target]),
                self._ids[target][0] if self._ids[target] else np.zeros(0, np.int64),
                self._distances[target][0] if self._ids[target] else np.zeros(0, np.float32),
            )
            for target in range(len(self._first))
        ]

    def _look(
        self,
        target: int,
        rows: Int64[np.ndarray, "some"],
        ids: Int64[np.ndarray, "row"],
        vectors: Float[np.ndarray, "row dim"],
    ) -> None:
        queries = self._exact[self._first[target] : self._ends[target]]
        exact = distances_to(queries, vectors[rows], self._kind).min(axis=0)
        within = exact <= self._limits[target]
        self._counts[target] += int(within.sum())
        kept = within & (exact <= self._cuts[target])
        if kept.any():
            self._ids[target].append(np.asarray(ids[rows[kept]], np.int64))
            self._distances[target].append(exact[kept].astype(np.float32))
            self._held[target] += int(kept.sum())
        if self._held[target] > 2 * self._most + 1024:
            self._prune(target)

    def _prune(self, target: int) -> None:
        if not self._ids[target]:
            return
        ids, distances = np.concatenate(self._ids[target]), np.concatenate(self._distances[target])
        order = np.lexsort((ids, distances))[: self._most]
        self._ids[target], self._distances[target] = [ids[order]], [distances[order]]
        self._held[target] = len(order)
        if len(order) == self._most:
            # In float32, as kept; the next float up, so that a tie that rounds to it is looked at.
            worst = float(np.nextafter(distances[order[-1]], np.float32(np.inf)))
            self._cuts[target] = min(self._limits[target], worst)

    def _roughly(
        self, vectors: Float[np.ndarray, "row dim"]
    ) -> tuple[Float32[np.ndarray, "row query"], float]:
        """Distances in float32, and how far they may be off."""
        width = vectors.shape[1]
        if self._kind == "hamming":
            signs = np.where(vectors >= 0, np.float32(1), np.float32(-1))
            return (np.float32(width) - signs @ self._rough) * np.float32(0.5 / width), width * ROUNDING
        products = np.asarray(vectors, np.float32) @ self._rough
        if self._kind == "cosine":
            np.subtract(np.float32(1), products, out=products)
            return products, (width + 8) * ROUNDING + 2 * UNIT
        squares = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
        found = squares[:, None] + self._lengths**2 - 2.0 * products
        scale = (float(np.sqrt(squares.max())) + float(self._lengths.max())) ** 2
        # An error of e in the square is one of at most sqrt(e) in the root.
        return np.sqrt(np.maximum(found, 0.0)).astype(np.float32), float(
            np.sqrt((width + 8) * ROUNDING * scale)
        )


def prepare(vectors: Float[np.ndarray, "row dim"], kind: DistanceKind) -> Float64[np.ndarray, "row dim"]:
    """Return vectors in float64, at length one under cosine, as signs under hamming."""
    exact = vectors.astype(np.float64)
    if kind == "hamming":
        return np.where(exact >= 0, 1.0, -1.0)
    if kind == "cosine":
        lengths = np.linalg.norm(exact, axis=1, keepdims=True)
        return np.asarray(exact / np.where(lengths > 0, lengths, 1.0))
    return exact


def distances_to(
    queries: Float64[np.ndarray, "query dim"], vectors: Float[np.ndarray, "row dim"], kind: DistanceKind
) -> Float64[np.ndarray, "query row"]:
    """Return the distance of each prepared query from each vector, in float64."""
    exact = prepare(vectors, kind)
    if kind == "euclidean":
        return np.asarray(np.linalg.norm(queries[:, None] - exact[None], axis=2))
    products = queries @ exact.T
    if kind == "hamming":
        return np.asarray((vectors.shape[1] - products) / 2 / vectors.shape[1])
    return np.asarray(np.clip(1.0 - products, 0.0, 2.0))
