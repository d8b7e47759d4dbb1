"""From the tags that examples bear, as written, to the tags of the library that belong to each."""

from __future__ import annotations

from tagtower.library.tags import TagLibrary, normalize_tag
from tagtower.training.dataset import ExampleFeatures
from tagtower.training.mining import OwnTags


def own_tags(examples: ExampleFeatures, library: TagLibrary) -> OwnTags:
    """Return each example's own tags by their places in `library`; those outside it are left out.

    A tag that the example names by an alias is marked so.
    """
    found: dict[str, tuple[int | None, bool]] = {}
    by_name, by_alias = [], []
    for row in range(len(examples)):
        named: list[int] = []
        aliased: list[int] = []
        for text in examples.tags(row):
            if text not in found:
                found[text] = _find(text, library)
            place, is_name = found[text]
            if place is not None:
                (named if is_name else aliased).append(place)
        by_name.append(named)
        by_alias.append(aliased)
    return OwnTags.from_lists(by_name, by_alias)


def rejected_tags(examples: ExampleFeatures, library: TagLibrary) -> OwnTags:
    """Return the tags that were found wrong for each example, by their places in `library`; never one of its own."""
    found = []
    for row in range(len(examples)):
        own = {library.index_of(text) for text in examples.tags(row)}
        places = {library.index_of(text) for text in examples.rejected(row)}
        found.append([place for place in places if place is not None and place not in own])
    return OwnTags.from_lists(found)


def _find(text: str, library: TagLibrary) -> tuple[int | None, bool]:
    """The place of the tag that `text` names, and whether by its name and not by an alias."""
    place = library.index_of(text)
    return place, place is not None and normalize_tag(text) == normalize_tag(library.texts[place])
