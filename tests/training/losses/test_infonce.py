from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from tagtower.training.losses import InfoNCE, Loss, Targets


@given(seed=st.integers(0, 10_000), size=st.integers(2, 8), temperature=st.floats(0.05, 2.0))
def test_with_one_tag_a_video_it_is_cross_entropy_both_ways(seed, size, temperature) -> None:
    """Value and gradient are those of the two cross entropies over the diagonal."""
    generator = torch.Generator().manual_seed(seed)
    distances = torch.rand(size, size, generator=generator, requires_grad=True)
    both = torch.arange(size)
    values, _ = InfoNCE(temperature)(distances, Targets(both, both, allowed=~torch.eye(size).bool()))
    logits = -distances / temperature
    expected = (
        F.cross_entropy(logits, both, reduction="none") + F.cross_entropy(logits.T, both, reduction="none")
    ) / 2
    torch.testing.assert_close(values, expected, rtol=1e-4, atol=1e-5)
    got = torch.autograd.grad(values.sum(), distances, retain_graph=True)[0]
    torch.testing.assert_close(got, torch.autograd.grad(expected.sum(), distances)[0], rtol=1e-3, atol=1e-4)


@given(seed=st.integers(0, 10_000))
def test_agrees_with_loops_where_videos_share_tags(seed) -> None:
    generator = torch.Generator().manual_seed(seed)
    videos, tags, temperature = 4, 6, 0.2
    distances = torch.rand(videos, tags, generator=generator, dtype=torch.float64)
    own = torch.rand(videos, tags, generator=generator) < 0.4
    rows, columns = own.nonzero(as_tuple=True)
    values, active = InfoNCE(temperature)(distances, Targets(rows, columns, allowed=~own))
    for pair, (video, tag) in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
        positive = math.exp(-distances[video, tag] / temperature)
        wrong_tags = [float(distances[video, other]) for other in range(tags) if not own[video, other]]
        wrong_videos = [float(distances[other, tag]) for other in range(videos) if not own[other, tag]]
        expected = 0.0
        for wrong in (wrong_tags, wrong_videos):
            against = sum(math.exp(-distance / temperature) for distance in wrong)
            expected -= math.log(positive / (positive + against)) / 2
        assert float(values[pair]) == pytest.approx(expected, rel=1e-6, abs=1e-9)
        assert bool(active[pair]) == any(d <= distances[video, tag] for d in wrong_tags + wrong_videos)


def test_what_belongs_together_is_not_pushed_apart() -> None:
    """Both videos have tag 0: neither is a negative of the other's pair, nor is a video's own second tag."""
    distances = torch.tensor([[0.1, 0.2, 0.9], [0.3, 0.8, 0.7]], requires_grad=True)
    own = torch.tensor([[True, True, False], [True, False, False]])
    values, _ = InfoNCE(0.5)(distances, Targets(torch.tensor([0]), torch.tensor([0]), allowed=~own))
    values.sum().backward()
    assert distances.grad[0, 0] > 0 > distances.grad[0, 2]
    assert distances.grad[0, 1] == 0
    assert not distances.grad[1].any()


def test_a_pair_with_nothing_against_it_costs_nothing_and_breaks_nothing() -> None:
    distances = torch.tensor([[0.1, 0.2]], requires_grad=True)
    targets = Targets(torch.tensor([0]), torch.tensor([0]), allowed=torch.zeros(1, 2, dtype=torch.bool))
    values, active = InfoNCE(0.05)(distances, targets)
    values.sum().backward()
    assert (values.item(), active.item()) == (0.0, False)
    assert not distances.grad.any()


def test_allowed_tags_are_required() -> None:
    with pytest.raises(ValueError, match="which tags are allowed"):
        InfoNCE(0.1)(torch.zeros(1, 1), Targets(videos=torch.tensor([0]), positives=torch.tensor([0])))


def test_a_video_without_weight_stands_against_no_tag() -> None:
    """An expert that a video lacks is no negative of the others' tags."""
    torch.manual_seed(0)
    videos, tags, both = torch.randn(3, 4), torch.randn(3, 4), torch.arange(3)
    loss = Loss("cosine", InfoNCE(0.2))
    targets = Targets(both, both, allowed=~torch.eye(3).bool())
    found = loss(videos, tags, targets, torch.tensor([1.0, 1.0, 0.0]))
    rest = Targets(both[:2], both[:2], allowed=targets.allowed[:2])
    torch.testing.assert_close(found.values[:2], loss(videos[:2], tags, rest).values)
