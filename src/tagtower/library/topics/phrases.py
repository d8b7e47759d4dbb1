"""Keyphrases of a headline: runs of words between stop words and punctuation, and what they are made of.

A headline is no tag; of its phrases those become topics that are suddenly in many headlines (`bursts`). A single word
counts only where it looks like a name, because verbs and adjectives burst as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from tagtower.library.tags import normalize_tag

LONGEST = 4
"""Words of a phrase, at most."""

LONGEST_UNSPACED = 6
"""Characters of a phrase in a script that sets no spaces."""

MAX_PHRASE_CHARACTERS = 60
SHORTEST_WORD = 3

_UNSPACED = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(
    rf"(?P<unspaced>[{_UNSPACED}]+)"
    rf"|(?P<word>[^\W_{_UNSPACED}]+(?:[-'’.&][^\W_{_UNSPACED}]+)*)"
    r"|(?P<hash>[#@])"
    r"|(?P<gap>\s+)"
    r"|(?P<stop>.)",
    re.DOTALL,
)

_ELISION = re.compile(r"^(?:qu|[cdjlmnst])['’](?=\w)", re.IGNORECASE)
"""French and Italian articles that lean on the next word."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase as it stands in a headline, and the normalized form by which it is counted."""

    key: str
    text: str


def phrases_of(headline: str, stop: AbstractSet[str]) -> list[Phrase]:
    """Return the phrases of a headline, each once.

    Args:
        stop: words, without case, that end a phrase.
    """
    found: dict[str, str] = {}
    titled = _is_titled(headline)
    for run in _runs(headline, stop):
        for phrase in _parts(run, titled):
            found.setdefault(phrase.key, phrase.text)
    return [Phrase(key, text) for key, text in found.items()]


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of a headline; `first` says that it begins a sentence, where case tells nothing."""

    text: str
    first: bool
    unspaced: bool = False


def _runs(headline: str, stop: AbstractSet[str]) -> Iterator[list[_Word]]:
    """Yield the runs of words that neither a stop word nor punctuation parts."""
    run: list[_Word] = []
    first = True
    for token in _TOKEN.finditer(headline):
        text, kind = token.group(), token.lastgroup
        if kind == "word":
            text = _ELISION.sub("", text)
        if kind == "gap" or kind == "hash":
            first = first and kind == "gap"  # what somebody marked is a name wherever it stands
            continue
        if kind == "stop":
            first = first or text in ".!?:|–—"
        if kind == "unspaced":
            if run:
                yield run
            yield [_Word(text, first, unspaced=True)]
            run, first = [], False
        elif kind == "stop" or _folded(text) in stop:
            if run:
                yield run
            run = []
            first = first and kind == "stop"
        else:
            run.append(_Word(_without_possessive(text), first))
            first = False
    if run:
        yield run


def _parts(run: Sequence[_Word], titled: bool) -> Iterator[Phrase]:
    """Yield every phrase that is a part of a run."""
    if run[0].unspaced:
        whole = run[0].text
        for length in range(2, LONGEST_UNSPACED + 1):
            for start in range(len(whole) - length + 1):
                characters = whole[start : start + length]
                yield Phrase(normalize_tag(characters), characters)
        return
    for length in range(1, LONGEST + 1):
        for start in range(len(run) - length + 1):
            piece = run[start : start + length]
            text = " ".join(word.text for word in piece)
            if len(text) <= MAX_PHRASE_CHARACTERS and _can_be_one(piece, titled):
                yield Phrase(normalize_tag(text), text)


def _can_be_one(piece: Sequence[_Word], titled: bool) -> bool:
    if len(piece) > 1:
        return any(character.isalpha() for word in piece for character in word.text)
    word = piece[0]
    if len(word.text) < SHORTEST_WORD or not any(character.isalpha() for character in word.text):
        return False
    begins = word.text[0]
    caseless = begins.lower() == begins.upper()
    return caseless or (begins.isupper() and (titled or not word.first or word.text.isupper()))


def _is_titled(headline: str) -> bool:
    """Whether most words of a headline begin in capitals, so that a capital says nothing about one of them."""
    begins = [token["word"][0] for token in _TOKEN.finditer(headline) if token["word"]]
    cased = [letter for letter in begins if letter.lower() != letter.upper()]
    return len(cased) > 2 and sum(letter.isupper() for letter in cased) * 3 > len(cased) * 2


def _folded(word: str) -> str:
    return normalize_tag(word.replace("’", "'"))


def _without_possessive(word: str) -> str:
    return word[:-2] if word.endswith(("'s", "’s")) and len(word) > 3 else word
