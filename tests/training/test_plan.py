"""An epoch shows every video once, with at most so many of its tags, whatever the rounds."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tagtower.config import settings_from
from tagtower.features.store import CENTRE
from tagtower.training.mining import OwnTags
from tagtower.training.plan import TrainingPlan, sample_positives
from tagtower.training.randomness import generator

OWN = OwnTags.from_lists([[0, 1, 2, 3, 4, 5], [2], [], [1, 3], [0, 5]] * 5)


def plan(draws: int = 0, **changes: dict[str, object]) -> TrainingPlan:
    tables = {"train": {"batch_size": 4, "epochs": 3}, "loss": {"positives": 2}, **changes}
    return TrainingPlan(len(OWN), settings_from(tables), draws)


def test_an_epoch_shows_every_video_that_has_a_tag_once():
    for epoch in range(3):
        steps = plan().steps_between(epoch * 7, epoch * 7 + 7, OWN)
        seen = torch.cat([step.videos for step in steps])
        assert sorted(seen.tolist()) == [row for row in range(25) if row % 5 != 2]
        assert {step.epoch for step in steps} == {epoch}


def test_pairs_are_a_videos_own_tags_and_at_most_so_many():
    for step in plan().steps_between(0, 21, OWN):
        pairs = list(zip(step.pair_videos.tolist(), step.positives.tolist(), strict=True))
        assert len(set(pairs)) == len(pairs)
        for row, tag in pairs:
            video = int(step.videos[row])
            assert tag in OWN.tags[OWN.offsets[video] : OWN.offsets[video + 1]]
        for row, video in enumerate(step.videos.tolist()):
            assert Counter(row for row, _ in pairs)[row] == min(2, int(OWN.counts[video]))


def test_the_plan_of_a_step_does_not_depend_on_its_round():
    whole = plan().steps_between(0, 21, OWN)
    for start, stop in ((0, 21), (5, 9), (13, 14)):
        for step, expected in zip(plan().steps_between(start, stop, OWN), whole[start:stop], strict=True):
            assert torch.equal(step.videos, expected.videos)
            assert torch.equal(step.positives, expected.positives)
            assert torch.equal(step.own.tags, expected.own.tags)


def test_epochs_differ_in_order_tags_and_draws():
    first, second = (
        {int(video): int(draw) for step in steps for video, draw in zip(step.videos, step.draws, strict=True)}
        for steps in (plan(4).steps_between(0, 7, OWN), plan(4).steps_between(7, 14, OWN))
    )
    assert list(first) != list(second)
    assert first != second
    assert set(first.values()) | set(second.values()) == {0, 1, 2, 3}


def test_without_kept_draws_the_centre_is_shown():
    assert {int(draw) for step in plan(0).steps_between(0, 7, OWN) for draw in step.draws} == {CENTRE}


@pytest.mark.parametrize(
    ("refresh", "step", "expected"),
    [
        ("epoch", 0, (0, 0, 7)),
        ("epoch", 13, (1, 7, 14)),
        (5, 7, (1, 5, 10)),
        (5, 20, (4, 20, 21)),
        (50, 3, (0, 0, 21)),
    ],
)
def test_rounds_cover_all_steps(refresh, step, expected):
    assert plan(negatives={"refresh": refresh}).round_at(step) == expected


@settings(max_examples=50)
@given(st.lists(st.sets(st.integers(0, 9)), max_size=6), st.integers(1, 5))
def test_positives_are_a_part_of_the_own_tags(own, limit):
    every = OwnTags.from_lists([sorted(tags) for tags in own])
    sample = sample_positives(every, limit, generator(0, "test"))
    for row, tags in enumerate(own):
        taken = sample.tags[sample.offsets[row] : sample.offsets[row + 1]].tolist()
        assert taken == sorted(taken)
        assert set(taken) <= tags
        assert len(taken) == min(limit, len(tags))


def test_every_own_tag_has_the_same_chance():
    own = OwnTags.from_lists([[3, 5, 7, 9]] * 4000)
    counts = Counter(sample_positives(own, 1, generator(0, "test")).tags.tolist())
    assert all(900 < counts[tag] < 1100 for tag in (3, 5, 7, 9))
