"""Mentions: whole words alone, by name or alias, and the same as looking for every tag in every text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tagtower.ranking.mentions import MentionFinder
from tagtower.ranking.words import stem, words
from tagtower.records import Tag

TAGS = [Tag("cat"), Tag("solar eclipse", aliases=("eclipse",)), Tag("art"), Tag("日食")]


def found(text: str) -> dict[int, str]:
    return {one.tag: one.text for one in MentionFinder(TAGS)({"title": text})}


def test_whole_words_alone_are_mentions():
    assert found("Start of a catalogue") == {}
    assert found("The ART of a Cat!") == {2: "art", 0: "cat"}


def test_a_plural_is_a_mention_but_not_an_exact_one():
    (one,) = MentionFinder(TAGS)({"title": "Two cats"})
    assert (one.tag, one.text, one.exact, one.words, one.place) == (0, "cats", False, 1, 0.5)
    (one,) = MentionFinder(TAGS)({"title": "Cats and a cat"})
    assert (one.text, one.exact) == ("cat", True)


def test_an_alias_counts_as_its_tag():
    assert found("the eclipse of 2024") == {1: "eclipse"}


def test_scripts_without_spaces():
    assert found("今日の日食です") == {3: "日食"}


def test_each_field_is_told_apart():
    mentions = MentionFinder(TAGS)({"title": "a cat", "description": "art and a cat"})
    assert [(one.field, one.tag) for one in mentions] == [
        ("title", 0),
        ("description", 2),
        ("description", 0),
    ]


@given(
    st.lists(st.text("ab ", min_size=1, max_size=6), min_size=1, max_size=6, unique=True),
    st.text("abs ", max_size=30),
)
def test_agrees_with_looking_for_every_tag(names, text):
    tags = [Tag(name) for name in names]
    stems = [stem(word) for word in words(text)]
    expected = set()
    for place, tag in enumerate(tags):
        wanted = [stem(word) for word in words(tag.text)]
        if wanted and any(
            stems[start : start + len(wanted)] == wanted for start in range(len(stems) - len(wanted) + 1)
        ):
            expected.add(place)
    assert {one.tag for one in MentionFinder(tags)({"title": text})} == expected
