"""From the tags that examples bear, as written, to the tags of the library that belong to each."""

from __future__ import annotations

from tagtower.library.tags import TagLibrary, normalize_tag
from tagtower.training.dataset import ExampleFeatures
from tagtower.training.mining import OwnTags


def own_tags(examples: ExampleFeatures, library: TagLibrary) -> OwnTags:
    """Return each example's own tags by their places in `library`; those outside it are left out.

    A tag that the example names by an alias is marked so.
    """
    by_name, by_alias = [], []
    for row in range(len(examples)):
        named: list[int] = []
        aliased: list[int] = []
        for text in examples.tags(row):
            place = library.index_of(text)
            if place is not None:
                is_name = normalize_tag(text) == normalize_tag(library.texts[place])
                (named if is_name else aliased).append(place)
        by_name.append(named)
        by_alias.append(aliased)
    return OwnTags.from_lists(by_name, by_alias)
