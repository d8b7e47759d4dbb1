"""Splits: given ones win, groups stay together, and the same manifest is always split the same way."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagtower.errors import ManifestError
from tagtower.records import Example, Problems, Video
from tagtower.training.splits import assign_splits, examples_in, group_of, split_counts


def example(name, group=None, split=None, media=None):
    return Example(Video(str(name), media, title="t"), group=group, split=split)


def assign(examples, share=0.15, seed=0):
    problems = Problems()
    return assign_splits(examples, share, seed, problems), problems


def splits(examples):
    return [one.split for one in examples]


def test_given_splits_stay_as_they_are():
    given_splits = ["train", "val", "test", "train"]
    assigned, problems = assign([example(place, split=split) for place, split in enumerate(given_splits)])
    assert splits(assigned) == given_splits
    assert problems.count == 0


def test_validation_alone_is_carved_out_of_train_and_test_is_left_alone():
    examples = [example(place, split="train") for place in range(100)]
    examples += [example(place, split="test") for place in range(100, 150)]
    assigned, _ = assign(examples)
    assert split_counts(assigned) == {"train": 85, "val": 15, "test": 50}
    assert splits(assigned[100:]) == ["test"] * 50


def test_where_no_split_is_given_there_is_train_and_val_and_no_test():
    assigned, _ = assign([example(place) for place in range(40)], share=0.25)
    assert split_counts(assigned) == {"train": 30, "val": 10, "test": 0}


def test_the_same_manifest_in_another_folder_is_carved_alike():
    here, there = (
        assign([example(place, media=f"{folder}/{place // 2}.mp4") for place in range(60)])[0]
        for folder in ("/data/a", "/mnt/elsewhere")
    )
    assert splits(here) == splits(there)
    assert splits(here)[::2] == splits(here)[1::2], "what has the same media stays together"
    assert "val" in splits(here)


def test_a_row_without_a_split_follows_its_group_and_else_trains():
    examples = [
        example(1, "a", "test"),
        example(2, "a"),
        example(3, "b", "val"),
        example(4, "b"),
        example(5, "c"),
        example(6),
    ]
    assert splits(assign(examples)[0]) == ["test", "test", "val", "val", "train", "train"]


def test_groups_in_two_splits_are_one_problem():
    examples = [
        example(1, "a", "train"),
        example(2, "a", "test"),
        example(3, "b", "val"),
        example(4, "b", "train"),
    ]
    assigned, problems = assign(examples)
    assert splits(assigned) == ["train", "test", "val", "train"]
    assert problems.count == 1
    assert "groups that stand in two splits: 2" in problems.first[0].what


def test_a_file_that_two_rows_share_is_a_group():
    examples = [example(place, media=f"/m/{place // 2}.mp4") for place in range(40)]
    assigned, _ = assign(examples, share=0.3)
    assert all(assigned[place].split == assigned[place + 1].split for place in range(0, 40, 2))


def test_a_single_group_is_carved_by_video_and_said_so():
    assigned, problems = assign([example(place, "only") for place in range(20)])
    assert split_counts(assigned) == {"train": 17, "val": 3, "test": 0}
    assert "one group" in problems.first[0].what


def test_one_video_trains_alone():
    assert splits(assign([example(1)])[0]) == ["train"]
    assert assign([])[0] == ()


def test_the_smallest_group_validates_where_none_fits():
    examples = [example(place, "big" if place < 6 else "small") for place in range(10)]
    assert {one.group for one in assign(examples, share=0.1)[0] if one.split == "val"} == {"small"}


def test_the_seed_chooses_and_the_order_of_rows_does_not():
    examples = [example(place, f"g{place % 30}") for place in range(90)]
    chosen = {one.video.id: one.split for one in assign(examples, seed=1)[0]}
    assert {one.video.id: one.split for one in assign(examples[::-1], seed=1)[0]} == chosen
    assert {one.video.id: one.split for one in assign(examples, seed=2)[0]} != chosen


def test_a_manifest_that_grows_keeps_nearly_all_of_its_splits():
    examples = [example(place) for place in range(1000)]
    before, after = assign(examples[:900])[0], assign(examples)[0]
    assert sum(old.split != new.split for old, new in zip(before, after, strict=False)) < 20


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from([None, "train", "test"])), max_size=40),
    st.floats(0.01, 0.9),
    st.integers(0, 3),
)
def test_what_is_carved_is_whole_groups_near_the_share(rows, share, seed):
    examples = [example(place, group, split) for place, (group, split) in enumerate(rows)]
    assigned, _ = assign(examples, share, seed)
    assert len(assigned) == len(examples)
    assert all(
        new.split == old.split
        or (old.split, new.split) in {("train", "val"), (None, "val"), (None, "train"), (None, "test")}
        for old, new in zip(examples, assigned, strict=True)
    )
    rest = [one for one in assigned if one.split != "test"]
    kinds = defaultdict(set)
    for one in rest:
        kinds[group_of(one)].add(one.split)
    if len(kinds) > 1:
        carved = [one for one in rest if one.split == "val"]
        smallest = min(sum(1 for one in rest if group_of(one) == group) for group in kinds)
        assert all(len(found) == 1 for found in kinds.values())
        assert {"train", "val"} <= {split for found in kinds.values() for split in found}
        assert len(carved) <= max(share * len(rest), smallest)


def test_a_split_that_is_asked_for_and_empty_is_refused_with_what_there_is():
    examples = [example(1, split="train"), example(2, split="train"), example(3, split="val")]
    assert [one.video.id for one in examples_in(examples, "train")] == ["1", "2"]
    with pytest.raises(ManifestError, match=r"no examples in split 'test' \(it has: train 2, val 1\)"):
        examples_in(examples, "test")
    with pytest.raises(ManifestError, match="none in any split"):
        examples_in([example(1)], "train")
