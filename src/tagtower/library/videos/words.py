"""The words that a video is found by: how its texts become words, and what a person's search asks of them.

Both sides are folded here, so that both engines find the same: no case, no diacritics, nothing but letters and digits.
Scripts that set no blanks between words are cut into characters and pairs of neighbours.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import ARRAY, ColumnElement, Connection, Text, cast, func, literal, select
from sqlalchemy.dialects.postgresql import TSQUERY

from tagtower.errors import UsageError
from tagtower.library.schema import videos

MAX_CHARACTERS = 200_000
"""Of one text; what comes later is not searched. It is what the models read of a text at most."""

MAX_WORD = 64
"""Characters of one word that count; longer ones are addresses and noise."""

MAX_WORDS = 20_000
"""Different words of one video; a PostgreSQL tsvector may take a megabyte."""

MAX_ASKED = 32
"""Words of one search."""

_UNSPACED = (
    "\u0e00-\u0edf\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Thai, Lao, Burmese, Khmer, Kana and Han."""

_RUN = re.compile(rf"[{_UNSPACED}]+|[^{_UNSPACED}\s]+")


@dataclass(frozen=True, slots=True)
class Asked:
    """A word that a video must have; as a `prefix`, one that begins so."""

    word: str
    prefix: bool = False


def search_words(*texts: str | None) -> list[str]:
    """Return the words that a video with these texts is found by, each once, in order."""
    found: dict[str, None] = {}
    for text in texts:
        if text:
            for word in _words(text[:MAX_CHARACTERS]):
                found[word] = None
                if len(found) >= MAX_WORDS:
                    return list(found)
    return list(found)


def asked_words(search: str) -> tuple[Asked, ...]:
    """Return what a search asks for: all of its words, those that end in `*` as beginnings of words.

    Nothing in it is syntax but that asterisk, so that any text may be searched for.

    Raises:
        UsageError: it holds no letter and no digit, or too many words.
    """
    asked: dict[Asked, None] = {}
    for part in search[:MAX_CHARACTERS].split():
        prefix = part.endswith("*")
        words = list(_words(part, whole=True))
        for place, word in enumerate(words):
            asked[Asked(word, prefix and place == len(words) - 1)] = None
    if not asked:
        raise UsageError("The search holds no word.", hint="Give words of the title or the description.")
    if len(asked) > MAX_ASKED:
        raise UsageError(f"The search has {len(asked)} words.", hint=f"Give at most {MAX_ASKED}.")
    return tuple(asked)


def stored_words(connection: Connection, words: Iterable[str]) -> object:
    """Return the words as this engine's `videos.words` takes them."""
    if connection.dialect.name == "sqlite":
        return " ".join(words)
    return func.array_to_tsvector(cast(list(words), ARRAY(Text)))


def fts5_query(asked: Iterable[Asked]) -> str:
    """Return a search as FTS5 reads it. Words hold letters and digits only, so nothing can leave the quotes."""
    return " AND ".join(f'"{one.word}"{"*" if one.prefix else ""}' for one in asked)


def ts_query(asked: Iterable[Asked]) -> ColumnElement[object]:
    """Return a search as a `tsquery`, which is not taken apart any further."""
    return cast(literal(" & ".join(f"'{one.word}'{':*' if one.prefix else ''}" for one in asked)), TSQUERY)


def has_words(
    connection: Connection, video_id: ColumnElement[int], asked: Iterable[Asked]
) -> ColumnElement[bool]:
    """Return the condition that a video has all words of a search, for asking it of one row after the other.

    On SQLite that is told by the row itself: to begin a full-text search for each costs ten times as much.
    """
    conditions: list[ColumnElement[bool]] = []
    if connection.dialect.name == "sqlite":
        parted = literal(" ").concat(cast(videos.c.words, Text)).concat(" ")
        wanted = [f" {one.word}" if one.prefix else f" {one.word} " for one in asked]
        conditions = [func.instr(parted, one) > 0 for one in wanted]
    else:
        conditions = [videos.c.words.op("@@")(ts_query(asked))]
    return select(literal(1)).where(videos.c.id == video_id, *conditions).exists()


def _words(text: str, *, whole: bool = False) -> Iterator[str]:
    """Yield the words of a text; of scripts without blanks, `whole` asks for pairs alone where there are any."""
    for run in _RUN.findall(_fold(text)):
        if not re.match(rf"[{_UNSPACED}]", run):
            yield run[:MAX_WORD]
            continue
        pairs = ["".join(pair) for pair in itertools.pairwise(run)]
        if not (whole and pairs):
            yield from run
        yield from pairs


def _fold(text: str) -> str:
    """Return a text without case and diacritics, and with blanks for all that is no letter, mark or digit."""
    if text.isascii():
        return re.sub(r"[^a-z0-9]+", " ", text.lower())
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    kept = "".join(
        " " if unicodedata.category(one)[0] not in "LMN" else one
        for one in unicodedata.normalize("NFKD", decomposed)
        if not _is_diacritic(one)
    )
    return unicodedata.normalize("NFKC", kept)


def _is_diacritic(character: str) -> bool:
    """Whether it is an accent, or a point of Hebrew or Arabic; signs of Indic vowels and the like are letters."""
    place = unicodedata.combining(character)
    return 10 <= place <= 36 or place >= 200
