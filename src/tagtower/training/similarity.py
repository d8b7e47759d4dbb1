"""How similar titles are to the names of tags: by the vectors of a frozen text encoder, or by the words they share."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float, Int64

from tagtower.errors import ConfigError
from tagtower.library.tags import normalize_tag
from tagtower.training.batches import TagFeatures

BLOCK_ELEMENTS = 1 << 22
"""Similarities held at one time; 16 MiB."""

_SINGLE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_WORDS = re.compile(f"[{_SINGLE}]|[^\\W_{_SINGLE}]+")


@runtime_checkable
class Similarity(Protocol):
    """A measure of titles against names."""

    def __call__(
        self, titles: Sequence[str], names: Sequence[str], floor: float
    ) -> Iterator[tuple[Int64[np.ndarray, "found"], Float[np.ndarray, "found"], float]]:
        """For each title the names at least `floor` similar, ascending, how similar they are, and the best of all."""
        ...


@final
@dataclass(frozen=True, slots=True)
class VectorSimilarity:
    """The cosine of two texts under the tag tower's frozen encoder, in [-1, 1], before anything is trained."""

    features: TagFeatures

    def __call__(
        self, titles: Sequence[str], names: Sequence[str], floor: float
    ) -> Iterator[tuple[Int64[np.ndarray, "found"], Float[np.ndarray, "found"], float]]:
        """Yield each title's names at least `floor` similar, how similar they are, and the best of all.

        Raises:
            ConfigError: the encoder is still to be trained, so its features are no vectors.
        """
        left, right = self._vectors(titles), self._vectors(names)
        step = max(1, BLOCK_ELEMENTS // max(1, len(names)))
        for start in range(0, len(titles), step):
            for row in left[start : start + step] @ right.T:
                found = np.flatnonzero(row >= floor)
                yield found, row[found], float(row.max())

    def _vectors(self, texts: Sequence[str]) -> Float[np.ndarray, "text dim"]:
        features = self.features(texts)
        if features[0].dtype.kind != "f":
            raise ConfigError(
                "positives.similarity is `vectors`, but the tag encoder is still to be trained: it knows no "
                "similarity yet.",
                hint="Name a pretrained tag.encoder and set train.backbones to `frozen`, or set "
                "positives.similarity to `words`.",
            )
        vectors = np.stack(features).astype(np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.where(lengths > 0, lengths, 1.0))


@final
@dataclass(frozen=True, slots=True)
class WordSimilarity:
    """The share of a name's words that stand in the title, in [0, 1].

    A share of the name's words and not of both texts': a title is long and a tag short, and one that is mentioned in
    full should count as such. Case and order do not matter.
    """

    def __call__(
        self, titles: Sequence[str], names: Sequence[str], floor: float
    ) -> Iterator[tuple[Int64[np.ndarray, "found"], Float[np.ndarray, "found"], float]]:
        """Yield each title's names at least `floor` similar, how similar they are, and the best of all."""
        words = [set(words_of(name)) for name in names]
        sizes = np.array([max(1, len(one)) for one in words])
        listed: defaultdict[str, list[int]] = defaultdict(list)
        for name, own in enumerate(words):
            for word in own:
                listed[word].append(name)
        holders = {word: np.array(names) for word, names in listed.items()}
        everywhere = np.arange(len(names))
        for title in titles:
            hits = [holders[word] for word in set(words_of(title)) if word in holders]
            shares = np.bincount(np.concatenate(hits), minlength=len(names)) / sizes if hits else 0.0 * sizes
            found = everywhere[shares >= floor]
            yield found, shares[found], float(shares.max())


def words_of(text: str) -> list[str]:
    """Return the words of a text, caseless: runs of letters and digits, and each sign of a script without blanks."""
    return _WORDS.findall(normalize_tag(text))


SIMILARITIES: dict[str, Callable[[TagFeatures], Similarity]] = {
    "vectors": VectorSimilarity,
    "words": lambda features: WordSimilarity(),
}
