"""Sparse matrices of videos and tags: made of pairs or of rows, and asked for pairs or for the highest of a row."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float64, Int64
from scipy.sparse import csr_array


def values_at(
    matrix: csr_array,
    rows: Int64[np.ndarray, "pair"],
    columns: Int64[np.ndarray, "pair"],
    missing: float = 0.0,
) -> Float64[np.ndarray, "pair"]:
    """Return what a sparse matrix holds at pairs of row and column, `missing` where it holds nothing."""
    matrix.sum_duplicates()  # and sorts
    width = matrix.shape[1]
    owners = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    stored, wanted = owners * width + matrix.indices, rows * width + columns
    place = np.searchsorted(stored, wanted)
    found = np.full(len(wanted), missing, np.float64)
    inside = place < len(stored)
    hit = inside.copy()
    hit[inside] = stored[place[inside]] == wanted[inside]
    found[hit] = matrix.data[place[hit]]
    return found


def top_stored(
    matrix: csr_array, count: int
) -> tuple[Int64[np.ndarray, "some"], Int64[np.ndarray, "some"], Float64[np.ndarray, "some"]]:
    """Return the highest values above zero of each row, ties by column: their rows, columns and values."""
    matrix.sum_duplicates()
    kept, owners = [], np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    for row in range(matrix.shape[0]):
        start, end = matrix.indptr[row], matrix.indptr[row + 1]
        values = matrix.data[start:end]
        places = np.flatnonzero(values > 0)
        if len(places) > count:
            high = values[places]
            places = places[high >= np.partition(high, len(high) - count)[len(high) - count]]
            places = places[np.argsort(-values[places], kind="stable")[:count]]
        kept.append(start + places)
    chosen = np.concatenate(kept).astype(np.int64)
    return owners[chosen], matrix.indices[chosen].astype(np.int64), matrix.data[chosen].astype(np.float64)


def sparse_rows(
    columns: Int64[np.ndarray, "row some"], values: Float64[np.ndarray, "row some"], width: int
) -> csr_array:
    """Return a matrix `width` wide with a value in each of the columns of a row."""
    rows, some = columns.shape
    offsets = np.arange(rows + 1, dtype=np.int64) * some
    return csr_array((values.ravel(), columns.ravel(), offsets), shape=(rows, width))


def sparse_pairs(pairs: Mapping[tuple[int, int], float], shape: tuple[int, ...]) -> csr_array:
    """Return a matrix of the values that are known by row and column."""
    where = np.array(list(pairs), np.int64).reshape(-1, 2)
    values = np.array(list(pairs.values()), np.float64)
    return csr_array((values, (where[:, 0], where[:, 1])), shape=shape)
