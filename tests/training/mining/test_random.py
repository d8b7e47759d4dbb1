from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tagtower.config.sections import Settings
from tagtower.towers.distances import DISTANCES
from tagtower.training.losses import NO_NEGATIVE
from tagtower.training.mining import OwnTags, RandomMiner, sample_tags
from tagtower.training.mining.random import random_miner


@given(
    tags=st.integers(1, 12),
    owned=st.lists(st.sets(st.integers(0, 11), min_size=1), min_size=1, max_size=5),
    kind=st.sampled_from(["cosine", "euclidean"]),
    seed=st.integers(0, 10_000),
)
def test_agrees_with_a_loop_over_the_tags_that_are_not_own(tags, owned, kind, seed) -> None:
    own_lists = [sorted(tag for tag in row if tag < tags) or [0] for row in owned]
    pairs = torch.tensor([(video, tag) for video, row in enumerate(own_lists) for tag in row])
    generator = torch.Generator().manual_seed(seed)
    videos, vectors = (
        torch.randn(len(owned), 4, generator=generator),
        torch.randn(tags, 4, generator=generator),
    )
    mined = RandomMiner(kind, 0.2)(
        videos, vectors, pairs, OwnTags.from_lists(own_lists), torch.Generator().manual_seed(seed)
    )
    uniform = torch.rand(len(pairs), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    active = dropped = 0
    for (video, tag), u, negative in zip(
        pairs.tolist(), uniform.tolist(), mined.negatives.tolist(), strict=True
    ):
        others = [other for other in range(tags) if other not in own_lists[video]]
        assert negative == (others[int(u * len(others))] if others else NO_NEGATIVE)
        dropped += len(own_lists[video]) - 1
        if others:
            near, far = DISTANCES[kind](videos[[video]], vectors[[tag, negative]])[0]
            active += bool(near - far + 0.2 > 0)
    assert mined.report.dropped_own == dropped
    assert abs(mined.report.active_hinges - active / len(pairs)) < 1e-9
    assert mined.report.without == mined.negatives.tolist().count(NO_NEGATIVE)


def test_the_draw_is_even() -> None:
    draws, own = 20_000, OwnTags.from_lists([[0, 7, 8, 29]])
    mined = random_miner(Settings())(
        torch.ones(1, 2),
        torch.ones(30, 2),
        torch.tensor([[0, 7]]).expand(draws, 2),
        own,
        torch.Generator().manual_seed(0),
    )
    counts = torch.bincount(mined.negatives, minlength=30)
    assert not counts[own.tags].any()
    assert stats.chisquare(counts[counts > 0].numpy()).pvalue > 0.001
    assert (counts > 0).sum() == 26


def test_a_sample_of_the_library_has_no_repeats_and_never_more_than_there_are() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = sample_tags(torch.arange(1000), 50, generator)
    assert len(drawn) == 50
    assert (drawn.diff() > 0).all()
    assert sample_tags(torch.arange(8), 50, generator).tolist() == list(range(8))
    candidates = torch.tensor([3, 5, 9])
    assert sample_tags(candidates, 50, generator).tolist() == [3, 5, 9]
