"""Vectors that more are added to: an index whose earlier part is never prepared again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float, Float32, Int64

from tagtower.index.build import Index, build_index
from tagtower.index.exact import DistanceKind


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Vectors in a row, and their index."""

    vectors: Float32[np.ndarray, "vector dim"]
    index: Index


@final
class GrowingIndex:
    """Numbered vectors, searched by comparing all. A number, once given, stays."""

    def __init__(self, kind: DistanceKind, width: int) -> None:
        self.kind: DistanceKind = kind
        self._width = width
        self._segments: list[Segment] = []

    def __len__(self) -> int:
        return sum(len(one.vectors) for one in self._segments)

    def add(self, vectors: Float[np.ndarray, "vector dim"]) -> int:
        """Add vectors, and return the number of the first; the others follow.

        Segments double in size, so that a vector is prepared again as often as its library doubles.

        Raises:
            InputError: a vector is not finite.
        """
        first = len(self)
        if not len(vectors):
            return first
        parts = [vectors.astype(np.float32)]
        while self._segments and len(self._segments[-1].vectors) <= sum(map(len, parts)):
            parts.append(self._segments.pop().vectors)
        whole = np.concatenate(parts[::-1])
        self._segments.append(Segment(whole, build_index(whole, self.kind)))
        return first

    def vectors(self, numbers: Int64[np.ndarray, "some"]) -> Float32[np.ndarray, "some dim"]:
        """Return the vectors of some numbers."""
        found = np.empty((len(numbers), self._width), np.float32)
        start = 0
        for one in self._segments:
            own = (numbers >= start) & (numbers < start + len(one.vectors))
            found[own] = one.vectors[numbers[own] - start]
            start += len(one.vectors)
        return found

    def so_far(self) -> GrownIndex:
        """Return the index as it is now, which later additions leave alone."""
        return GrownIndex(tuple(one.index for one in self._segments))


@final
@dataclass(frozen=True, slots=True)
class GrownIndex:
    """A growing index as it was at one moment."""

    parts: tuple[Index, ...]

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def distances(self, queries: Float[np.ndarray, "query dim"]) -> Float32[np.ndarray, "query vector"]:
        """Return the distance of each query from each vector, in the order of their numbers."""
        if not self.parts:
            return np.zeros((len(queries), 0), np.float32)
        if len(self.parts) == 1:
            return self.parts[0].distances(queries)
        return np.concatenate([one.distances(queries) for one in self.parts], axis=1)
