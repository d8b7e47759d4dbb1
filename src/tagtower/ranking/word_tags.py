"""What each single word of a text says of a tag, by the labelled videos that have the word."""

from __future__ import annotations

import itertools
from typing import final

import numpy as np
from jaxtyping import Float64, Int64
from scipy.sparse import csr_array

from tagtower.ranking.lexical import NeighbourWords

SUREST = 0.95
"""However often a word comes with a tag, it says no more than this."""

RARE = 2.0
"""A word's share of a tag is smoothed by so many videos that have the tag as often as all."""

LEAST = 1e-6
WORD_FEATURES = ("word_best_share", "word_any_share", "word_lift", "word_best_lift")


@final
class WordTags:
    """Tells for pairs of a text and a tag how the surest word speaks for it, and how all of them do together.

    A mean over the words, which is another of the ranker's features, drowns the one word that says it all.

    Args:
        labels: the labelled videos' tags, in the order of the videos of `words`; (neighbour, tag).
    """

    def __init__(self, words: NeighbourWords, labels: csr_array) -> None:
        self._words = words
        self._labels = labels
        self._chances = np.asarray(labels.sum(axis=0), np.float64) / max(labels.shape[0], 1)

    def __call__(
        self,
        known: csr_array,
        videos: Int64[np.ndarray, "pair"],
        tags: Int64[np.ndarray, "pair"],
        own: Int64[np.ndarray, "video"] | None = None,
    ) -> dict[str, Float64[np.ndarray, "pair"]]:
        """Return each of `WORD_FEATURES` for pairs that come by video; all 0 where a text has no known word.

        Of a word in n labelled videos, c of them with the tag, the share is c / (n + 1). The features are the highest
        share; the sum of -log(1 - share), which is as if any of the words were enough; and the sum and the highest of
        the logarithms of how much more often than by chance the tag comes with the word.

        Args:
            known: which words each text has, as `NeighbourWords.columns` gives them.
            own: the row of each video among the labelled ones, which then does not count, or -1.
        """
        found = np.zeros((len(WORD_FEATURES), len(videos)))
        for video, pairs in _runs(videos):
            columns = known.indices[known.indptr[video] : known.indptr[video + 1]]
            if not len(columns):
                continue
            holders = self._words.holders(columns)
            if own is not None and own[video] >= 0:
                holders.data[holders.indices == own[video]] = 0.0
            counts = np.asarray(holders.sum(axis=1), np.float64)[:, None]
            both = (holders @ self._labels)[:, tags[pairs]].toarray().astype(np.float64)
            chances = self._chances[tags[pairs]]
            shares = both / (counts + 1.0)
            smooth = (both + RARE * chances) / (counts + RARE)
            lifts = np.log(np.maximum(smooth, LEAST) / np.maximum(chances, LEAST))
            found[0, pairs] = shares.max(axis=0)
            found[1, pairs] = -np.log1p(-np.minimum(shares, SUREST)).sum(axis=0)
            found[2, pairs] = lifts.sum(axis=0)
            found[3, pairs] = lifts.max(axis=0)
        return dict(zip(WORD_FEATURES, found, strict=True))


def _runs(videos: Int64[np.ndarray, "pair"]) -> list[tuple[int, slice]]:
    """Each video with the pairs that are its own."""
    bounds = np.flatnonzero(np.diff(videos, prepend=-1, append=-1))
    return [(int(videos[start]), slice(start, end)) for start, end in itertools.pairwise(bounds.tolist())]
