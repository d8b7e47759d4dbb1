"""The library as a snapshot: what counts as the same tag, what is merged, and what its version depends on."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagtower.errors import TagLibraryError
from tagtower.library.tags import MAX_TAG_CHARACTERS, TagLibrary, normalize_tag
from tagtower.records import Problems, Tag


def library_of(*texts, problems=None):
    return TagLibrary.from_tags([Tag(text) for text in texts], problems)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Solar Eclipse", "  solar\t eclipse "),
        ("caf\u00e9", "CAFE\u0301"),
        ("Straße", "STRASSE"),
        ("\u1fb3", "\u03b1\u03b9"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("a\u00a0b", "a b"),
    ],
)
def test_spellings_of_one_tag_are_equal(one, other):
    assert normalize_tag(one) == normalize_tag(other)


@given(st.text())
def test_normalizing_twice_changes_nothing(text):
    assert normalize_tag(normalize_tag(text)) == normalize_tag(text)


def test_equal_tags_are_merged_into_the_first_and_counted_with_their_place():
    problems = Problems()
    tags = [Tag("Car", ("auto",)), Tag("boat"), Tag("car ", ("motor",), description="four wheels")]
    library = TagLibrary.from_tags(tags, problems, places=["t:1", "t:2", "t:3"])
    assert library.texts == ("Car", "boat")
    assert library.tags[0] == Tag("Car", ("auto", "motor"), "four wheels")
    assert [problem.where for problem in problems.first] == ["t:3"]


def test_a_merged_tag_lasts_as_long_as_the_longer_one():
    soon, late = datetime(2025, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)
    for first, second, wanted in [
        (soon, late, late),
        (late, soon, late),
        (soon, None, None),
        (None, None, None),
    ]:
        library = TagLibrary.from_tags([Tag("a", expires=first), Tag("A", expires=second)])
        assert library.tags[0].expires == wanted


def test_a_tag_is_found_by_any_spelling_and_alias():
    library = TagLibrary.from_tags([Tag("boat"), Tag("car", ("Auto", "motor  car"))])
    assert [library.index_of(text) for text in ("BOAT", "car", "auto", "Motor Car", "train")] == [
        0,
        1,
        1,
        1,
        None,
    ]


def test_an_alias_gives_way_to_a_tag_and_to_an_earlier_alias():
    problems = Problems()
    tags = [Tag("car", ("auto", "bus", "CAR")), Tag("bus"), Tag("machine", ("auto",))]
    library = TagLibrary.from_tags(tags, problems)
    assert [tag.aliases for tag in library.tags] == [("auto",), (), ()]
    assert (library.index_of("bus"), library.index_of("auto")) == (1, 0)
    assert problems.count == 2


@pytest.mark.parametrize("bad", ["", " \t", "a\0b", "\x1b[31m", "\ud800", "x" * (MAX_TAG_CHARACTERS + 1)])
def test_texts_that_can_be_no_tag_or_alias_are_left_out_and_counted(bad):
    problems = Problems()
    library = TagLibrary.from_tags([Tag(bad), Tag("good", (bad,))], problems)
    assert library.tags == (Tag("good"),)
    assert problems.count == 2


def test_a_library_without_a_usable_tag_is_refused():
    for tags in ([], [Tag(" ")]):
        with pytest.raises(TagLibraryError, match="no usable tag"):
            TagLibrary.from_tags(tags)


def test_one_tag_is_a_library():
    assert len(library_of("only")) == 1


def test_the_version_is_of_the_content():
    version = library_of("a", "b").version
    assert version == library_of("a ", "b").version
    assert len({version, library_of("b", "a").version, library_of("a").version}) == 3
    assert version != TagLibrary.from_tags([Tag("a", ("c",)), Tag("b")]).version
    assert len(version) == 12


def test_expired_tags_are_left_out_on_request():
    noon = datetime(2025, 6, 1, 12, tzinfo=UTC)
    library = TagLibrary.from_tags(
        [Tag("gone", expires=noon), Tag("stays", ("s",)), Tag("naive", expires=datetime(2026, 1, 1))]
    )
    assert library.texts == ("gone", "stays", "naive")
    assert library.unexpired(noon).texts == ("stays", "naive")
    assert library.unexpired(noon).index_of("s") == 0
    with pytest.raises(TagLibraryError):
        TagLibrary.from_tags([Tag("gone", expires=noon)]).unexpired(noon)


@given(st.lists(st.text(min_size=1, max_size=3), min_size=1))
def test_every_usable_tag_leads_to_itself(texts):
    try:
        library = library_of(*texts)
    except TagLibraryError:
        return
    assert [library.index_of(text) for text in library.texts] == list(range(len(library)))
    assert library == TagLibrary.from_tags(library.tags)
