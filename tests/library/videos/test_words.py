"""Texts become words, and searches ask for words; nothing is too odd for either."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagtower.errors import UsageError
from tagtower.library.videos.words import (
    MAX_ASKED,
    MAX_WORD,
    MAX_WORDS,
    Asked,
    asked_words,
    fts5_query,
    search_words,
)


@given(st.lists(st.text() | st.none(), max_size=3))
def test_words_hold_letters_marks_and_digits_only(texts) -> None:
    import unicodedata

    for word in search_words(*texts):
        assert 0 < len(word) <= MAX_WORD
        assert all(unicodedata.category(one)[0] in "LMN" for one in word)


@given(st.text())
def test_whatever_is_searched_for_is_found_in_the_same_text(text) -> None:
    try:
        asked = asked_words(text)
    except UsageError:
        return
    words = set(search_words(text))
    assert all(
        one.word in words or (one.prefix and any(word.startswith(one.word) for word in words))
        for one in asked
    )


def test_an_asterisk_asks_for_beginnings() -> None:
    assert asked_words("Sol* eclipse") == (Asked("sol", prefix=True), Asked("eclipse"))
    assert asked_words("o'cl*") == (Asked("o"), Asked("cl", prefix=True))


def test_a_search_without_words_or_with_too_many_is_refused() -> None:
    for search in ("", "  ", "*", "!?", "\0"):
        with pytest.raises(UsageError, match="no word"):
            asked_words(search)
    with pytest.raises(UsageError, match="words"):
        asked_words(" ".join(f"w{n}" for n in range(MAX_ASKED + 1)))


def test_endless_texts_are_cut() -> None:
    assert len(search_words(" ".join(f"w{n}" for n in range(MAX_WORDS + 5)))) == MAX_WORDS
    assert search_words("x" * 1_000_000) == ["x" * MAX_WORD]


def test_scripts_without_blanks_are_searched_by_pairs() -> None:
    assert set(search_words("日本語")) == {"日", "本", "語", "日本", "本語"}
    assert asked_words("日本語") == (Asked("日本"), Asked("本語"))
    assert asked_words("日") == (Asked("日"),)


def test_a_query_is_quoted() -> None:
    assert fts5_query(asked_words("and or* not")) == '"and" AND "or"* AND "not"'
