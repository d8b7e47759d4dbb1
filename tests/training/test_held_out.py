"""Which examples the ranker learns from: the latest by time, else whole groups."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tagtower.errors import TrainingError
from tagtower.records import Example, Video
from tagtower.training.held_out import ROLLS, held_out


def example(number: int, *, timed: bool = True, group: str | None = None) -> Example:
    published = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=7 * number % 50)
    return Example(Video(str(number), title="x"), ("tag",), group, "train", published if timed else None)


def test_with_times_the_latest_are_held_out_in_parts_by_time():
    examples = [example(number) for number in range(50)]
    (found,) = held_out(examples, 0.2, 1, seed=0)
    late = np.concatenate(found.parts)
    assert (len(found.earlier), len(late), len(found.parts)) == (40, 10, ROLLS)
    times = [examples[row].published for row in [*found.earlier, *late]]
    assert times == sorted(times)
    assert sorted([*found.earlier, *late]) == list(range(50))


def test_an_earlier_round_knows_nothing_of_what_comes_after_it():
    examples = [example(number) for number in range(50)]
    first, second = held_out(examples, 0.2, 2, seed=0)
    assert second.earlier.tolist() == [*first.earlier, *np.concatenate(first.parts)]
    assert (len(first.earlier), len(second.earlier)) == (30, 40)


def test_without_a_time_whole_groups_are_held_out_by_the_seed():
    examples = [example(number, timed=number != 3, group=f"g{number // 5}") for number in range(50)]
    (first,), (again,), (other,) = (held_out(examples, 0.2, 1, seed) for seed in (0, 0, 1))
    (late,) = first.parts
    assert late.tolist() == again.parts[0].tolist() != other.parts[0].tolist()
    assert {row // 5 for row in late}.isdisjoint({row // 5 for row in first.earlier})
    assert len(late) == 10
    assert sorted([*first.earlier, *late]) == list(range(50))


def test_rounds_without_a_time_hold_out_other_groups_and_know_all_the_rest():
    examples = [example(number, timed=False, group=f"g{number // 5}") for number in range(50)]
    rounds = held_out(examples, 0.2, 2, seed=0)
    late = [np.concatenate(one.parts) for one in rounds]
    assert [len(rows) for rows in late] == [10, 10]
    assert set(late[0]).isdisjoint(late[1])
    for one, rows in zip(rounds, late, strict=True):
        assert sorted([*one.earlier, *rows]) == list(range(50))


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize(("share", "rounds"), [(0.2, 2), (0.25, 2), (0.5, 1), (0.9, 1), (0.05, 9)])
def test_towers_are_left_with_half_of_the_videos_or_there_are_fewer_rounds(share, rounds, timed):
    examples = [example(number, timed=timed, group=f"g{number}") for number in range(60)]
    found = held_out(examples, share, 9, seed=0)
    assert len(found) == rounds
    assert all(len(one.earlier) >= 29 for one in found) or rounds == 1


def test_something_is_left_on_both_sides():
    for share in (0.01, 0.99):
        for timed in (True, False):
            found = held_out([example(number, timed=timed) for number in range(2)], share, 2, seed=0)
            assert found
            for one in found:
                assert (len(one.earlier), sum(map(len, one.parts))) == (1, 1)


def test_one_example_is_too_few():
    with pytest.raises(TrainingError, match=r"ranking\.kind=tower"):
        held_out([example(0)], 0.2, 2, seed=0)
