"""Written tags find their tag of the library by name or alias; what is in neither is left out."""

from __future__ import annotations

from tagtower.library.tags import TagLibrary
from tagtower.records import Tag
from tagtower.towers import VideoFeatures
from tagtower.training.dataset import MemoryExamples
from tagtower.training.own_tags import own_tags


def test_names_aliases_and_strangers():
    library = TagLibrary.from_tags([Tag("Sea"), Tag("car", aliases=("automobile",)), Tag("fox")])
    examples = MemoryExamples(
        [("sea", "SEA"), ("Automobile",), ("automobile", "car"), ("stranger",), ("fox", "automobile")],
        [VideoFeatures()] * 5,
    )
    own = own_tags(examples, library)
    assert own.counts.tolist() == [1, 1, 1, 0, 2]
    assert own.tags.tolist() == [0, 1, 1, 1, 2]
    assert own.by_alias.tolist() == [False, True, False, True, False]
