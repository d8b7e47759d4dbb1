"""How the words of a video's texts fit the words of tags and the texts of labelled videos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
from jaxtyping import Float, Float64, Int64
from scipy.sparse import csr_array, diags_array

from tagtower.ranking.lexicon import TagLexicon
from tagtower.ranking.neighbours import LabelledVideos, rows_of_ones
from tagtower.ranking.words import grams, stem, words
from tagtower.records import Tag

SATURATION, LENGTH_SHARE = 1.2, 0.75
"""k1 and b of BM25."""


@final
class NeighbourWords:
    """Compares texts with those of labelled videos, by words and pairs of words."""

    def __init__(self, neighbours: LabelledVideos) -> None:
        self._columns = {gram: column for column, gram in enumerate(neighbours.vocabulary)}
        self._rarity = inverse_frequency(np.asarray(neighbours.grams.sum(axis=0)), len(neighbours))
        self._texts = _unit_rows(neighbours.grams @ diags_array(self._rarity)).T.tocsr()
        counts = np.asarray(neighbours.grams.sum(axis=0))
        # A word says what its share of tags is, less where it was seen too rarely to tell.
        self._shares = (neighbours.grams @ diags_array(self._rarity / (counts + 1.0))).T.tocsr()

    def columns(self, texts: Sequence[str]) -> csr_array:
        """Return which known words each text has."""
        known = [[self._columns[gram] for gram in grams(text) if gram in self._columns] for text in texts]
        return rows_of_ones(known, len(self._columns))

    def similarities(self, found: csr_array) -> Float[np.ndarray, "video neighbour"]:
        """Return the TF-IDF cosine of texts, as `columns` gave them, with each labelled video, in [0, 1]."""
        return np.asarray((_unit_rows(found @ diags_array(self._rarity)) @ self._texts).toarray())

    def holders(self, columns: Int64[np.ndarray, "some"]) -> csr_array:
        """Return which labelled videos have each of some words, by column: a matrix (word, neighbour) of ones."""
        found = self._texts[columns]
        found.data = np.ones(len(found.data), np.float32)
        return found

    def shares(self, found: csr_array) -> csr_array:
        """Return weights (video, neighbour) whose votes are the mean share that each tag has among a word's videos."""
        weight = np.maximum(np.asarray(found @ self._rarity), 1e-9)
        return diags_array(1.0 / weight) @ (found @ self._shares)


@final
class TagWords:
    """Compares texts with the words of tags, their aliases included.

    Args:
        lexicon: what has read the tags, or most of them, before.
    """

    def __init__(
        self, tags: Sequence[Tag], neighbours: LabelledVideos, lexicon: TagLexicon | None = None
    ) -> None:
        lexicon = TagLexicon() if lexicon is None else lexicon
        spelt = lexicon.read(tags)
        self._columns = lexicon.columns
        self._width = len(lexicon.columns)
        counts = csr_array(
            (np.ones(len(spelt.columns), np.float32), spelt.columns.copy(), spelt.offsets.copy()),
            shape=(len(tags), self._width),
        )
        counts.sum_duplicates()
        self.lengths: Float64[np.ndarray, "tag"] = np.asarray(counts.sum(axis=1), np.float64)
        self.characters: Float64[np.ndarray, "tag"] = spelt.characters
        found = dict(
            zip(neighbours.vocabulary, np.asarray(neighbours.grams.sum(axis=0)).tolist(), strict=True)
        )
        rarity = inverse_frequency(
            np.array([found.get(word, 0.0) for word in self._columns], np.float64), len(neighbours)
        )
        self._bm25 = _bm25(counts, rarity, self.lengths).T.tocsr()
        present = counts.copy()
        present.data[:] = 1.0
        weighted = present @ diags_array(rarity)
        total = np.maximum(np.asarray(weighted.sum(axis=1)), 1e-9)
        self._covered = (diags_array(1.0 / total) @ weighted).T.tocsr()

    def columns(self, texts: Sequence[str]) -> csr_array:
        """Return which words of tags each text has."""
        known = self._columns
        rows = [
            {column for word in words(text) if (column := known.get(stem(word), self._width)) < self._width}
            for text in texts
        ]
        return rows_of_ones([sorted(row) for row in rows], self._width)

    def bm25(self, found: csr_array) -> csr_array:
        """Return how well each tag, as a document, answers to the text, 0 or more; a matrix (video, tag).

        Source:
            Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), section 3.
        """
        return found @ self._bm25

    def coverage(self, found: csr_array) -> csr_array:
        """Return which share of a tag's words, weighted by rarity, stands in the text, in [0, 1]; (video, tag)."""
        return found @ self._covered


def inverse_frequency(counts: Float[np.ndarray, "column"], documents: int) -> Float64[np.ndarray, "column"]:
    """Return how rare words are that `counts` of so many documents have, above 0; the rarest most."""
    rest = np.maximum(documents - counts, 0.0)
    return np.asarray(np.log1p((rest + 0.5) / (counts + 0.5)), np.float64)


def _bm25(counts: csr_array, rarity: np.ndarray, lengths: np.ndarray) -> csr_array:
    scores = counts.tocoo()
    relative = lengths[scores.row] / max(lengths.mean(), 1e-9)
    damped = scores.data + SATURATION * (1.0 - LENGTH_SHARE + LENGTH_SHARE * relative)
    values = rarity[scores.col] * scores.data * (SATURATION + 1.0) / damped
    return csr_array((values, (scores.row, scores.col)), shape=counts.shape)


def _unit_rows(matrix: csr_array) -> csr_array:
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)))
    return diags_array(1.0 / np.maximum(lengths, 1e-9)) @ matrix
