"""Tags as written against the library: aliases, duplicates, and the ones that the library does not have."""

from __future__ import annotations

from tagtower.library.tags import TagLibrary
from tagtower.records import Example, Problems, Tag, Video
from tagtower.training.positives import outside_tags, resolve_tags

LIBRARY = TagLibrary.from_tags([Tag("car", ("auto", "motor car")), Tag("blue triangle"), Tag("café")])


def examples(*tags):
    return [Example(Video(str(place), title="t"), own) for place, own in enumerate(tags)]


def test_tags_become_their_places_in_the_order_written():
    problems = Problems()
    found = resolve_tags(examples(("Blue  Triangle", "CAR"), (), ("CAFE\u0301",)), LIBRARY, problems)
    assert found == [(1, 0), (), (2,)]
    assert problems.count == 0


def test_aliases_and_repetitions_count_once():
    assert resolve_tags(examples(("auto", "car", "Motor Car", "café", "auto")), LIBRARY, Problems()) == [
        (0, 2)
    ]


def test_tags_outside_the_library_are_counted_in_one_problem():
    problems = Problems()
    rows = examples(("car", "moon"), ("Moon ", "sun"), ("moon", "x" * 10_000), ())
    assert resolve_tags(rows, LIBRARY, problems) == [(0,), (), (), ()]
    assert problems.count == 1
    what = problems.first[0].what
    assert "3 tags, 5 uses" in what
    assert "'moon' (3)" in what
    assert "examples left without a tag by it: 2" in what
    assert len(what) < 300
    assert outside_tags(rows, LIBRARY).most_common(1) == [("moon", 3)]


def test_one_tag_may_be_a_whole_library():
    library = TagLibrary.from_tags([Tag("only")])
    assert resolve_tags(examples(("Only",), ("other",)), library, Problems()) == [(0,), ()]
