"""What single phrases of a title say, each read as if it were a tag.

A whole title is of several things at once; "slow cooked lamb for guests" lies far from the tag "stew", and one phrase
of it near. So a tag is heard of in other words than its own, whether a labelled video has it or not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

import numpy as np
from jaxtyping import Float64, Int64

from tagtower.ranking.words import WORD

PHRASE_WORDS = 3
MOST_WORDS = 32
"""Of a long title the first words count."""

PHRASE_FEATURES = ("phrase_similarity", "phrase_lead")


def phrases(text: str) -> list[str]:
    """Return every run of one to three words of a text as it stands there, each once, by where it begins."""
    spans = [word.span() for word in islice(WORD.finditer(text), MOST_WORDS)]
    found = (
        text[spans[first][0] : spans[last][1]]
        for first in range(len(spans))
        for last in range(first, min(first + PHRASE_WORDS, len(spans)))
    )
    return list(dict.fromkeys(found))


def phrase_features(
    read: Callable[[Sequence[str]], Float64[np.ndarray, "text dim"]],
    titles: Sequence[str],
    own: Float64[np.ndarray, "tag dim"],
    videos: Int64[np.ndarray, "pair"],
    tags: Int64[np.ndarray, "pair"],
) -> dict[str, Float64[np.ndarray, "pair"]]:
    """Return how near the nearest phrase of the title is to each candidate, and how far ahead of the video's others.

    `phrase_lead` is that similarity less the highest that the same phrase has to any candidate of the video: 0 where
    the phrase fits none better. Both are missing (NaN) for a title without words.

    Args:
        read: gives the vectors of texts as if each were a tag, of length one.
        own: the vectors of tags, of length one too; `tags` are rows of it. `videos` ascend, and are rows of `titles`.
    """
    found = np.full((len(PHRASE_FEATURES), len(videos)), np.nan)
    told = [phrases(title) for title in titles]
    every = {phrase: row for row, phrase in enumerate(dict.fromkeys(one for some in told for one in some))}
    if every:
        vectors = read(list(every))
        bounds = np.searchsorted(videos, np.arange(len(titles) + 1))
        for video, some in enumerate(told):
            pairs = slice(bounds[video], bounds[video + 1])
            if some and pairs.start < pairs.stop:
                alike = own[tags[pairs]] @ vectors[[every[phrase] for phrase in some]].T
                best = alike.argmax(axis=1)
                found[0, pairs] = alike.max(axis=1)
                found[1, pairs] = found[0, pairs] - alike.max(axis=0)[best]
    return dict(zip(PHRASE_FEATURES, found, strict=True))
