"""The index that serves a distance, and what every index can do."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32

from tagtower.index.exact import DistanceKind, ExactIndex, Neighbours
from tagtower.index.packed import PackedIndex


@runtime_checkable
class Index(Protocol):
    """Vectors in a fixed order that can be searched."""

    def __len__(self) -> int:
        """How many vectors there are."""
        ...

    def distances(self, queries: Float[np.ndarray, "query dim"]) -> Float32[np.ndarray, "query vector"]:
        """The distance of each query from each vector."""
        ...

    def search(self, queries: Float[np.ndarray, "query dim"], k: int) -> Neighbours:
        """The k nearest vectors of each query, or all where there are fewer; ties by index order."""
        ...


def build_index(vectors: Float[np.ndarray, "vector dim"], kind: DistanceKind) -> Index:
    """Return an index of `vectors` under a distance: packed where it looks at signs alone.

    Raises:
        InputError: a vector is not finite.
    """
    return PackedIndex(vectors) if kind == "hamming" else ExactIndex(vectors, kind)
