"""Plain mentions: which tags stand in a video's texts as whole words, by their name or by an alias."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import final

import numpy as np
from scipy.sparse import csr_array

from tagtower.ranking.lexicon import TagLexicon, as_sequence
from tagtower.ranking.sparse import sparse_pairs
from tagtower.ranking.words import caseless, placed_words, stem
from tagtower.records import Tag, TextField


@dataclass(frozen=True, slots=True)
class Mention:
    """A tag found in a text.

    `tag` is its place in the library, `text` what was found, without case, `words` how many they are. `place` says
    where they begin, from 0 (the beginning) to 1. `exact` is false where only a plural or singular stands there.
    """

    tag: int
    field: TextField
    text: str
    words: int
    place: float
    exact: bool


@final
class MentionFinder:
    """Finds the tags of one library in texts; the work grows with the text, not with the library.

    Args:
        tags: no two are equal.
        lexicon: what has read the tags, or most of them, before.
    """

    def __init__(self, tags: Iterable[Tag], lexicon: TagLexicon | None = None) -> None:
        self._lexicon = TagLexicon() if lexicon is None else lexicon
        numbers = self._lexicon.read(as_sequence(tags)).numbers
        self._places = np.full(len(self._lexicon), -1)
        self._places[numbers] = np.arange(len(numbers))

    def __call__(self, texts: Mapping[TextField, str]) -> list[Mention]:
        """Return the first mention of each tag in each text, by field, and by their order in the text."""
        return [mention for field, text in texts.items() for mention in self._in_text(field, text)]

    def _in_text(self, field: TextField, text: str) -> list[Mention]:
        plain = caseless(text)
        spelt = placed_words(plain)
        stems = [stem(word.text) for word in spelt]
        found: dict[int, Mention] = {}
        for start in range(len(spelt)):
            for length in range(1, min(self._lexicon.longest, len(spelt) - start) + 1):
                span = slice(start, start + length)
                for tag, name in self._called(" ".join(stems[span])):
                    exact = " ".join(word.text for word in spelt[span]) == name
                    if tag not in found or (exact and not found[tag].exact):
                        there = plain[spelt[start].start : spelt[start + length - 1].end]
                        found[tag] = Mention(tag, field, there, length, start / len(spelt), exact)
        return list(found.values())

    def _called(self, stems: str) -> list[tuple[int, str]]:
        """The tags of this library with a name of these stems, in its order, and how they spell it."""
        entries = self._lexicon.names.get(stems, ())
        placed = [(int(self._places[number]), name) for number, name in entries if number < len(self._places)]
        return sorted((one for one in placed if one[0] >= 0), key=itemgetter(0))


def mention_matrices(mentions: Sequence[Sequence[Mention]], shape: tuple[int, ...]) -> dict[str, csr_array]:
    """Return words and exactness of the mention in the title, and words of the longest one elsewhere: (video, tag)."""
    found: dict[str, dict[tuple[int, int], float]] = {
        name: {} for name in ("mention_words", "mention_exact", "mention_elsewhere")
    }
    for row, own in enumerate(mentions):
        for one in own:
            pair = (row, one.tag)
            if one.field == "title":
                found["mention_words"][pair] = float(one.words)
                found["mention_exact"][pair] = float(one.exact)
            else:
                found["mention_elsewhere"][pair] = max(
                    found["mention_elsewhere"].get(pair, 0.0), float(one.words)
                )
    return {name: sparse_pairs(pairs, shape) for name, pairs in found.items()}


def mention_places(mentions: Sequence[Sequence[Mention]], shape: tuple[int, ...]) -> csr_array:
    """Return where in the title each mention begins, from 0 to 1: (video, tag)."""
    pairs = {
        (row, one.tag): one.place for row, own in enumerate(mentions) for one in own if one.field == "title"
    }
    return sparse_pairs(pairs, shape)
