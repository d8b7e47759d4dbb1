"""Texts to words for ranking: which words a text has, and when two forms count as one.

Knows neither tags nor videos. Nothing here is learnt, so it works for a word that nobody has seen before.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from dataclasses import dataclass

WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+(?:['’][^\W_]+)*")
"""A run of letters and digits; in scripts that set no spaces between words, each character by itself."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word without case, and where it stands in the caseless text, from its first to after its last character."""

    text: str
    start: int
    end: int


def caseless(text: str) -> str:
    """Return a text without case, in composed Unicode."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())


def placed_words(caseless_text: str) -> list[Word]:
    """Return the words of a caseless text in order; an apostrophe inside a word stays, other punctuation parts."""
    return [Word(one.group(), one.start(), one.end()) for one in WORD.finditer(caseless_text)]


def words(text: str) -> list[str]:
    """Return the words of a text in order, without case."""
    return WORD.findall(caseless(text))


def stem(word: str) -> str:
    """Return a word without the ending of an English plural: `cats` is `cat`, `parties` is `party`."""
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        return word[:-1]
    return word


def grams(text: str) -> list[str]:
    """Return the stems of a text's words and of each two neighbouring words, every one once, sorted."""
    stems = [stem(word) for word in words(text)]
    pairs = (f"{first} {second}" for first, second in itertools.pairwise(stems))
    return sorted({*stems, *pairs})
