"""No video is ranked beside itself, every video is ranked once, and most labelled videos stay beside each."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tagtower.usecases.folds import FOLDS, Fold, neighbour_folds

names = st.lists(st.integers(0, 60).map(str), max_size=40, unique=True)


@given(ids=names, neighbours=names)
def test_every_row_is_in_one_part_and_no_video_beside_itself(ids, neighbours):
    folds = neighbour_folds(ids, neighbours)
    assert sorted(row for fold in folds for row in fold.rows) == list(range(len(ids)))
    for fold in folds:
        assert fold.without == {ids[row] for row in fold.rows} & set(neighbours)


@given(ids=names)
def test_of_labelled_videos_no_more_than_a_part_is_left_out(ids):
    for fold in neighbour_folds(ids, ids):
        assert len(fold.without) <= -(-len(ids) // FOLDS)


def test_a_manifest_that_goes_round_its_tags_keeps_some_of_each_kind():
    ids = [f"v{number}" for number in range(100)]
    for fold in neighbour_folds(ids, ids):
        assert {row % FOLDS for row in range(100)} == {
            row % FOLDS for row in range(100) if row not in fold.rows
        }


def test_new_videos_are_ranked_in_one_part_beside_all():
    assert neighbour_folds(["a", "b"], ["c"]) == (Fold((0, 1)),)
