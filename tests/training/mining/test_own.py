from __future__ import annotations

from itertools import pairwise

import torch
from hypothesis import given
from hypothesis import strategies as st

from tagtower.training.mining import OwnTags

LISTS = st.lists(st.lists(st.integers(0, 11), max_size=5), max_size=6)


def as_lists(own: OwnTags) -> list[list[int]]:
    bounds = own.offsets.tolist()
    return [own.tags[start:stop].tolist() for start, stop in pairwise(bounds)]


@given(LISTS)
def test_lists_come_back_sorted_and_without_repeats(lists) -> None:
    own = OwnTags.from_lists(lists)
    assert as_lists(own) == [sorted(set(row)) for row in lists]
    assert own.counts.tolist() == [len(set(row)) for row in lists]
    assert not own.by_alias.any()


def test_a_tag_that_is_borne_and_an_alias_too_counts_as_borne() -> None:
    own = OwnTags.from_lists([[3, 1]], aliases=[[1, 7]])
    assert own.tags.tolist() == [1, 3, 7]
    assert own.by_alias.tolist() == [False, False, True]


@given(LISTS.filter(len), st.data())
def test_take_gives_the_rows_asked_for(lists, data) -> None:
    chosen = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=8))
    taken = OwnTags.from_lists(lists).take(torch.tensor(chosen, dtype=torch.int64))
    assert as_lists(taken) == [sorted(set(lists[row])) for row in chosen]


@given(LISTS, st.sets(st.integers(0, 11)))
def test_within_renumbers_what_is_among_the_given_tags(lists, kept) -> None:
    tags = sorted(kept)
    near = OwnTags.from_lists(lists).within(torch.tensor(tags, dtype=torch.int64))
    assert as_lists(near) == [[tags.index(tag) for tag in sorted(set(row)) if tag in kept] for row in lists]


@given(LISTS)
def test_the_mask_says_what_belongs_to_whom(lists) -> None:
    mask = OwnTags.from_lists(lists).mask(12)
    assert [row.nonzero().squeeze(1).tolist() for row in mask] == [sorted(set(row)) for row in lists]
