"""Which tags of the library are an example's positives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tagtower.library.tags import TagLibrary, normalize_tag
from tagtower.records import Example, Problems
from tagtower.storage.rows import shorten

OUTSIDERS_SHOWN = 5


def resolve_tags(
    examples: Sequence[Example], library: TagLibrary, problems: Problems
) -> list[tuple[int, ...]]:
    """Return for each example the places in the library of its tags, each once, in the order they are written.

    An alias counts as its tag. Tags that the library does not have are left out and counted, in one problem.
    """
    places = {text: library.index_of(text) for text in {tag for one in examples for tag in one.tags}}
    resolved = [
        tuple(dict.fromkeys(place for tag in one.tags if (place := places[tag]) is not None))
        for one in examples
    ]
    outside = outside_tags(examples, library)
    if outside:
        shown = ", ".join(f"{shorten(tag)} ({count})" for tag, count in outside.most_common(OUTSIDERS_SHOWN))
        bare = sum(1 for one, own in zip(examples, resolved, strict=True) if one.tags and not own)
        problems.add(
            "tags",
            f"tags that are not in the library are no positives: {len(outside):,} tags, {outside.total():,} uses; "
            f"the most frequent: {shown}; examples left without a tag by it: {bare:,}",
        )
    return resolved


def outside_tags(examples: Sequence[Example], library: TagLibrary) -> Counter[str]:
    """Return how often each tag that the library does not have is used, by its normal form."""
    uses = Counter(tag for one in examples for tag in one.tags)
    outside: Counter[str] = Counter()
    for tag, count in uses.items():
        if library.index_of(tag) is None:
            outside[normalize_tag(tag)] += count
    return outside
