"""Which example trains, which validates and which tests: given splits win, groups stay together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

from tagtower.errors import ManifestError
from tagtower.records import SPLITS, Example, Problems, Split
from tagtower.storage.hashing import hash_text


def assign_splits(
    examples: Sequence[Example], val_share: float, seed: int, problems: Problems
) -> tuple[Example, ...]:
    """Return the examples in their order, each with a split.

    A given split wins. An example without one follows its group, where that has one, and else trains. Where
    nothing validates, about `val_share` of what trains is carved out, whole groups at a time, chosen by a hash of
    `seed` and group. A single group is carved by video, as there is no other way, and that is a problem counted.

    Args:
        val_share: share of the training examples, in (0, 1).
    """
    by_group = _splits_of_groups(examples)
    torn = [group for group, splits in by_group.items() if len(set(splits)) > 1]
    if torn:
        problems.add(
            "group",
            f"groups that stand in two splits: {len(torn)}, such as {torn[0]!r}; a test on them flatters",
        )
    assigned = [
        replace(one, split=one.split or by_group.get(group_of(one), ["train"])[0]) for one in examples
    ]
    if any(one.split == "val" for one in assigned):
        return tuple(assigned)
    training = [place for place, one in enumerate(assigned) if one.split == "train"]
    for place in _carve(assigned, training, val_share, seed, problems):
        assigned[place] = replace(assigned[place], split="val")
    return tuple(assigned)


def examples_in(examples: Sequence[Example], split: Split) -> tuple[Example, ...]:
    """Return the examples of a split, in their order.

    Raises:
        ManifestError: there are none.
    """
    found = tuple(one for one in examples if one.split == split)
    if not found:
        counts = split_counts(examples)
        there = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
        raise ManifestError(
            f"The manifest has no examples in split {split!r} (it has: {there or 'none in any split'}).",
            hint=f"Give rows `split`: {split!r}, or choose another split.",
        )
    return found


def split_counts(examples: Sequence[Example]) -> dict[Split, int]:
    """Return how many examples each split has; those without a split are in none."""
    counts = Counter(one.split for one in examples)
    return {split: counts[split] for split in SPLITS}


def group_of(example: Example) -> str:
    """Return what must not stand in two splits: the group, or without one the media file, or the title's id."""
    return example.group or example.video.media or example.video.id


def _splits_of_groups(examples: Sequence[Example]) -> dict[str, list[Split]]:
    """The given splits of each group that has any, in the order of the manifest."""
    found: defaultdict[str, list[Split]] = defaultdict(list)
    for one in examples:
        if one.split is not None:
            found[group_of(one)].append(one.split)
    return found


def _carve(
    examples: Sequence[Example], training: Sequence[int], share: float, seed: int, problems: Problems
) -> list[int]:
    """The places in `training` that validate; empty where fewer than two videos train."""
    # Not the paths of media: the same manifest in another folder is carved alike.
    names: dict[str, str] = {}
    for place in training:
        names.setdefault(group_of(examples[place]), examples[place].group or examples[place].video.id)
    carved = _carve_by(lambda place: names[group_of(examples[place])], training, share, seed)
    if carved or len(training) < 2:
        return carved
    problems.add(
        "group", "all that trains is one group; validation is carved out of it, and will look too good"
    )
    return _carve_by(lambda place: f"{place} {examples[place].video.id}", training, share, seed)


def _carve_by(key: Callable[[int], str], training: Sequence[int], share: float, seed: int) -> list[int]:
    """Whole groups in the order of their hashes, as long as they fit into the share; at least the smallest one.

    The order is a property of each group alone, so that a manifest that grows moves few groups.
    """
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for place in training:
        groups[key(place)].append(place)
    if len(groups) < 2:
        return []
    ordered = sorted(groups.items(), key=lambda item: hash_text(f"{seed} {item[0]}"))
    carved: list[int] = []
    for _, places in ordered:
        if len(carved) + len(places) <= share * len(training):
            carved += places
    return carved or min((places for _, places in ordered), key=len)
