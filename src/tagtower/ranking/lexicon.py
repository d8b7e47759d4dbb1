"""What tags are called, read once each: their words, and their names word for word.

A library of a hundred thousand tags changes by one tag at a time. What was read of a tag is kept as long as it is the
same tag, so that a change costs a walk over the library and no reading.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Generic, TypeVar, final

import numpy as np
from jaxtyping import Float64, Int64

from tagtower.ranking.words import stem, words
from tagtower.records import Tag

LONGEST = 8
"""Words of the longest name that is looked for; longer ones are captions, and are found by their words alone."""

T = TypeVar("T")


@final
class OncePerTag(Generic[T]):
    """Keeps what was worked out of each tag for as long as the libraries that are asked for hold it.

    Libraries that share a tag object find it by identity, which takes a tenth of the time of comparing it.
    """

    def __init__(self, work: Callable[[Sequence[Tag]], Sequence[T]]) -> None:
        """Take what works out the values of tags that were not seen before, in their order."""
        self._work = work
        self._by_identity: dict[int, tuple[Tag, T]] = {}
        self._by_value: dict[Tag, T] = {}

    def __call__(self, tags: Sequence[Tag]) -> list[T]:
        """Return the value of each tag, in order."""
        known = self._by_identity
        found = [known.get(id(tag)) for tag in tags]
        if None in found:
            self._add([tag for tag, one in zip(tags, found, strict=True) if one is None])
            found = [known[id(tag)] for tag in tags]
        if len(known) > 2 * len(tags) + 1000:
            self._forget_others(tags)
        return [one[1] for one in found if one is not None]

    def _add(self, tags: Sequence[Tag]) -> None:
        new = [tag for tag in dict.fromkeys(tags) if tag not in self._by_value]
        self._by_value.update(zip(new, self._work(new), strict=True))
        for tag in tags:
            self._by_identity[id(tag)] = (tag, self._by_value[tag])

    def _forget_others(self, tags: Sequence[Tag]) -> None:
        self._by_identity = {id(tag): self._by_identity[id(tag)] for tag in tags}
        self._by_value = dict(self._by_identity.values())


@dataclass(frozen=True, slots=True)
class TagEntry:
    """One tag as it was read: its number, which no other tag has, the columns of its words, its length."""

    number: int
    columns: tuple[int, ...]
    characters: int


@dataclass(frozen=True, slots=True, eq=False)
class LibraryWords:
    """The tags of one library: their numbers, the columns of their words from `offsets` to `offsets`, their lengths."""

    numbers: Int64[np.ndarray, "tag"]
    offsets: Int64[np.ndarray, "boundary"]
    columns: Int64[np.ndarray, "term"]
    characters: Float64[np.ndarray, "tag"]


@final
class TagLexicon:
    """The words and names of every tag that was asked for so far; it only grows.

    `columns` numbers the stems of words. `names` has for each name, as stems, the numbers of the tags that have it and
    their own spelling of it; `longest` is how many words the longest has.
    """

    def __init__(self) -> None:
        self.columns: dict[str, int] = {}
        self.names: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
        self.longest = 0
        self._count = 0
        self._entries: OncePerTag[TagEntry] = OncePerTag(self._enter)
        self._last: tuple[Sequence[Tag], LibraryWords] | None = None

    def read(self, tags: Sequence[Tag]) -> LibraryWords:
        """Return the words of a library's tags, in its order."""
        if self._last is None or self._last[0] is not tags:
            entries = self._entries(tags)
            counts = np.fromiter((len(one.columns) for one in entries), np.int64, len(entries))
            offsets = np.concatenate([[0], counts.cumsum()])
            flat = chain.from_iterable(one.columns for one in entries)
            self._last = (
                tags,
                LibraryWords(
                    np.fromiter((one.number for one in entries), np.int64, len(entries)),
                    offsets,
                    np.fromiter(flat, np.int64, int(offsets[-1])),
                    np.fromiter((one.characters for one in entries), np.float64, len(entries)),
                ),
            )
        return self._last[1]

    def __len__(self) -> int:
        """How many tags were read."""
        return self._count

    def _enter(self, tags: Sequence[Tag]) -> list[TagEntry]:
        return [self._read(tag) for tag in tags]

    def _read(self, tag: Tag) -> TagEntry:
        number, self._count = self._count, self._count + 1
        columns: list[int] = []
        for name in (tag.text, *tag.aliases):
            spelt = words(name)
            stems = [stem(word) for word in spelt]
            columns += (self.columns.setdefault(word, len(self.columns)) for word in stems)
            if 0 < len(spelt) <= LONGEST:
                self.names[" ".join(stems)].append((number, " ".join(spelt)))
                self.longest = max(self.longest, len(spelt))
        return TagEntry(number, tuple(columns), len(tag.text))


def as_sequence(tags: Iterable[Tag]) -> Sequence[Tag]:
    """Return tags that can be walked over more than once."""
    return tags if isinstance(tags, Sequence) else tuple(tags)
