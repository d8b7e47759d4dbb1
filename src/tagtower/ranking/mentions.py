"""Plain mentions: which tags stand in a video's texts as whole words, by their name or by an alias."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import final

from tagtower.ranking.words import caseless, placed_words, stem, words
from tagtower.records import Tag, TextField

LONGEST = 8
"""Words of the longest name that is looked for; longer ones are captions, and are found by their words alone."""


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
    """Finds the tags of one library in texts; the work grows with the text, not with the library."""

    def __init__(self, tags: Iterable[Tag]) -> None:
        self._names: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
        self._longest = 0
        for place, tag in enumerate(tags):
            for name in (tag.text, *tag.aliases):
                spelt = words(name)
                if 0 < len(spelt) <= LONGEST:
                    self._names[" ".join(map(stem, spelt))].append((place, " ".join(spelt)))
                    self._longest = max(self._longest, len(spelt))

    def __call__(self, texts: Mapping[TextField, str]) -> list[Mention]:
        """Return the first mention of each tag in each text, by field, and by their order in the text."""
        return [mention for field, text in texts.items() for mention in self._in_text(field, text)]

    def _in_text(self, field: TextField, text: str) -> list[Mention]:
        plain = caseless(text)
        spelt = placed_words(plain)
        stems = [stem(word.text) for word in spelt]
        found: dict[int, Mention] = {}
        for start in range(len(spelt)):
            for length in range(1, min(self._longest, len(spelt) - start) + 1):
                span = slice(start, start + length)
                for tag, name in self._names.get(" ".join(stems[span]), ()):
                    exact = " ".join(word.text for word in spelt[span]) == name
                    if tag not in found or (exact and not found[tag].exact):
                        there = plain[spelt[start].start : spelt[start + length - 1].end]
                        found[tag] = Mention(tag, field, there, length, start / len(spelt), exact)
        return list(found.values())
