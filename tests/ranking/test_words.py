"""Words: the same in any case and spelling of Unicode, plurals folded, scripts without spaces by character."""

from __future__ import annotations

import pytest

from tagtower.ranking.words import grams, placed_words, stem, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("How to COOK, fast!", ["how", "to", "cook", "fast"]),
        ("Grey's Anatomy 2x16", ["grey's", "anatomy", "2x16"]),
        ("snake_case #tag", ["snake", "case", "tag"]),
        ("CAFE\u0301 Straße", ["café", "strasse"]),
        ("日食を見る", ["日", "食", "を", "見", "る"]),
        ("--- !!!", []),
        ("", []),
    ],
)
def test_words_of_a_text(text, expected):
    assert words(text) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("cats", "cat"),
        ("parties", "party"),
        ("glass", "glass"),
        ("gas", "gas"),
        ("ties", "tie"),
        ("cat", "cat"),
    ],
)
def test_plurals_share_a_stem(word, expected):
    assert stem(word) == expected


def test_words_know_their_place():
    assert [(one.text, one.start, one.end) for one in placed_words("it's a-b")] == [
        ("it's", 0, 4), ("a", 5, 6), ("b", 7, 8),
    ]  # fmt: skip


def test_grams_are_stems_and_pairs_once_each():
    assert grams("Red cars, red cars") == ["car", "car red", "red", "red car"]
    assert grams("") == []
