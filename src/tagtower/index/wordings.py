"""Tags that go by several names: the distance of a tag is that of its nearest wording."""

from __future__ import annotations

from typing import Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, Int64


@runtime_checkable
class Distances(Protocol):
    """Whatever tells how far every vector that it holds is from a query."""

    def distances(self, queries: Float[np.ndarray, "query dim"]) -> Float32[np.ndarray, "query vector"]:
        """The distance of each query from each vector, or from each group of them."""
        ...


@final
class NearestWording:
    """Distances to tags, out of the distances to their wordings."""

    def __init__(self, wordings: Distances, first: Int64[np.ndarray, "tag"]) -> None:
        """Group the vectors of `wordings`: those of one tag stand in a row, from its place in `first` on."""
        self._wordings = wordings
        self._first = first

    def distances(self, queries: Float[np.ndarray, "query dim"]) -> Float32[np.ndarray, "query tag"]:
        """Return the distance of each query from each tag: the smallest over the wordings of the tag."""
        found = self._wordings.distances(queries)
        return np.minimum.reduceat(found, self._first, axis=1)


@final
class SomeOf:
    """Distances to some of the vectors of an index, in an order of their own."""

    def __init__(self, index: Distances, chosen: Int64[np.ndarray, "some"]) -> None:
        self._index = index
        self._chosen = chosen

    def distances(self, queries: Float[np.ndarray, "query dim"]) -> Float32[np.ndarray, "query some"]:
        """Return the distance of each query from each of the chosen vectors."""
        return self._index.distances(queries)[:, self._chosen]
