"""Rejected tags take the place of mined negatives, as often as they should, and only on their own video."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from tagtower.training.losses import NO_NEGATIVE
from tagtower.training.mining import OwnTags, prefer_rejected, step_tags


@given(
    rejected=st.lists(st.sets(st.integers(0, 20), max_size=3), min_size=1, max_size=5),
    share=st.sampled_from([0.0, 0.4, 1.0]),
    data=st.data(),
)
def test_only_rejected_tags_of_the_same_video_are_put_in(rejected, share, data) -> None:
    videos = torch.tensor(
        data.draw(st.lists(st.integers(0, len(rejected) - 1), max_size=20)), dtype=torch.int64
    )
    mined = torch.full_like(videos, 99)
    found = prefer_rejected(
        mined,
        videos,
        OwnTags.from_lists([sorted(own) for own in rejected]),
        share,
        torch.Generator().manual_seed(0),
    )
    for video, negative in zip(videos.tolist(), found.tolist(), strict=True):
        assert negative in rejected[video] | {99}
        if share == 1.0 and rejected[video]:
            assert negative != 99
        if share == 0.0 or not rejected[video]:
            assert negative == 99


def test_they_are_drawn_evenly_and_as_often_as_the_share_says() -> None:
    videos = torch.zeros(20_000, dtype=torch.int64)
    rejected = OwnTags.from_lists([[3, 5, 8], [1]])
    found = prefer_rejected(
        torch.full_like(videos, NO_NEGATIVE), videos, rejected, 0.6, torch.Generator().manual_seed(1)
    )
    counts = torch.bincount(found + 1, minlength=10)
    assert abs(counts[0] / 20_000 - 0.4) < 0.02
    assert all(abs(counts[tag + 1] / 20_000 - 0.2) < 0.02 for tag in (3, 5, 8))


def test_without_any_nothing_is_drawn() -> None:
    generator = torch.Generator().manual_seed(2)
    state = generator.get_state()
    mined = torch.tensor([4, 5])
    assert prefer_rejected(mined, torch.tensor([0, 1]), OwnTags.from_lists([[], []]), 1.0, generator) is mined
    assert torch.equal(generator.get_state(), state)


def test_a_step_holds_rejected_tags_against_their_own_video_beside_the_pool() -> None:
    step = step_tags(
        torch.tensor([0, 1]),
        torch.tensor([4, 7]),
        OwnTags.from_lists([[4], [7]]),
        pool=torch.tensor([2, 7]),
        rejected=OwnTags.from_lists([[9], []]),
    )
    allowed = [step.tags[row].tolist() for row in step.targets.allowed]
    assert step.tags.tolist() == [2, 4, 7, 9]
    assert allowed == [[2, 7, 9], [2]]
    assert step.tags[step.rejected.tags].tolist() == [9]
