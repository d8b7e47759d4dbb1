"""Search over binary codes that are packed into machine words: one bit a component, XOR and a count of ones."""

from __future__ import annotations

from typing import final

import numpy as np
from jaxtyping import Float, Float32, UInt64

from tagtower.index.exact import BLOCK_ELEMENTS, Neighbours, check_finite, search_in_blocks

WORD_BITS = 64


@final
class PackedIndex:
    """The signs of vectors in a fixed order, in 1/32 of the memory of their floats, searched by comparing all.

    Nothing is estimated: distances and ties are those of `ExactIndex` under `hamming`.
    """

    def __init__(self, vectors: Float[np.ndarray, "vector dim"]) -> None:
        """Index the signs of `vectors`; a zero counts as positive.

        Raises:
            InputError: a vector is not finite.
        """
        check_finite(vectors, "indexed vectors")
        self._bits = vectors.shape[1]
        self._size = len(vectors)
        # Word by word, so that the inner loop runs over vectors that lie side by side.
        self._words = np.ascontiguousarray(_pack(vectors).T)

    def __len__(self) -> int:
        return self._size

    @property
    def nbytes(self) -> int:
        """Bytes that the codes take."""
        return self._words.nbytes

    def distances(self, queries: Float[np.ndarray, "query dim"]) -> Float32[np.ndarray, "query vector"]:
        """Return the share of bits, in [0, 1], in which each query's signs differ from each vector's.

        Raises:
            InputError: a query is not finite.
        """
        check_finite(queries, "queries")
        words = _pack(queries)
        found = np.empty((len(queries), len(self)), dtype=np.float32)
        step = max(1, BLOCK_ELEMENTS // max(1, len(queries)))
        for start in range(0, len(self), step):
            columns = slice(start, start + step)
            differing = np.zeros(found[:, columns].shape, dtype=np.int64)
            for place, row in enumerate(self._words[:, columns]):
                differing += np.bitwise_count(words[:, place, None] ^ row)
            found[:, columns] = differing / self._bits
        return found

    def search(self, queries: Float[np.ndarray, "query dim"], k: int) -> Neighbours:
        """Return the k nearest vectors of each query, or all where there are fewer; ties by index order.

        Raises:
            InputError: a query is not finite.
        """
        return search_in_blocks(self.distances, len(self), queries, k)


def _pack(vectors: Float[np.ndarray, "vector dim"]) -> UInt64[np.ndarray, "vector word"]:
    """One bit a component; the last word is filled up with zeros, which differ from nothing."""
    filled = np.zeros((len(vectors), -(-vectors.shape[1] // WORD_BITS) * WORD_BITS), dtype=bool)
    filled[:, : vectors.shape[1]] = vectors >= 0
    return np.packbits(filled, axis=1).view(np.uint64)
