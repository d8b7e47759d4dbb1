from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from tagtower.training.losses import SampledSoftmax, Targets

VIDEOS, TAGS = 4, 10


def step(seed: int, pairs: int) -> tuple[torch.Tensor, Targets]:
    generator = torch.Generator().manual_seed(seed)
    distances = torch.rand(VIDEOS, TAGS, generator=generator, requires_grad=True)
    videos = torch.randint(VIDEOS, (pairs,), generator=generator)
    positives = torch.randint(TAGS, (pairs,), generator=generator)
    allowed = torch.rand(VIDEOS, TAGS, generator=generator) < 0.6
    allowed[videos, positives] = False
    return distances, Targets(videos, positives, allowed=allowed)


@given(seed=st.integers(0, 10_000), pairs=st.integers(1, 12), temperature=st.floats(0.02, 2.0))
def test_agrees_with_cross_entropy_over_the_positive_and_the_allowed(seed, pairs, temperature) -> None:
    distances, targets = step(seed, pairs)
    values, active = SampledSoftmax(temperature)(distances, targets)
    expected, outranked = [], []
    for video, positive in zip(targets.videos.tolist(), targets.positives.tolist(), strict=True):
        negatives = distances[video, targets.allowed[video]]
        logits = -torch.cat([distances[video, positive].reshape(1), negatives]) / temperature
        expected.append(F.cross_entropy(logits[None], torch.tensor([0])))
        outranked.append(any(d <= distances[video, positive] for d in negatives))
    torch.testing.assert_close(values, torch.stack(expected), rtol=1e-4, atol=1e-5)
    assert active.tolist() == outranked
    got = torch.autograd.grad(values.sum(), distances, retain_graph=True)[0]
    want = torch.autograd.grad(torch.stack(expected).sum(), distances)[0]
    torch.testing.assert_close(got, want, rtol=1e-3, atol=1e-4)


def test_agrees_with_a_triple_loop() -> None:
    distances, targets = step(seed=3, pairs=8)
    distances = distances.detach()
    values, _ = SampledSoftmax(0.1)(distances, targets)
    for pair in range(8):
        video, positive = int(targets.videos[pair]), int(targets.positives[pair])
        own = math.exp(-float(distances[video, positive]) / 0.1)
        total = own
        for tag in range(TAGS):
            if bool(targets.allowed[video, tag]):
                total += math.exp(-float(distances[video, tag]) / 0.1)
        assert float(values[pair]) == pytest.approx(-math.log(own / total), rel=1e-4)


def test_own_tags_are_neither_pushed_nor_counted() -> None:
    distances = torch.tensor([[0.1, 0.2, 0.9]], requires_grad=True)
    targets = Targets(torch.tensor([0]), torch.tensor([0]), allowed=torch.tensor([[False, False, True]]))
    values, _ = SampledSoftmax(0.5)(distances, targets)
    values.sum().backward()
    assert distances.grad[0, 1] == 0
    assert distances.grad[0, 0] > 0 > distances.grad[0, 2]


def test_a_video_that_owns_every_sampled_tag_costs_nothing_and_breaks_nothing() -> None:
    distances = torch.tensor([[0.1, 0.2]], requires_grad=True)
    targets = Targets(torch.tensor([0]), torch.tensor([0]), allowed=torch.zeros(1, 2, dtype=torch.bool))
    values, active = SampledSoftmax(0.05)(distances, targets)
    values.sum().backward()
    assert (values.item(), active.item()) == (0.0, False)
    assert not distances.grad.any()


def test_stays_finite_at_extreme_distances() -> None:
    distances = torch.tensor([[1e4, 0.0], [0.0, 1e4]], requires_grad=True)
    targets = Targets(
        torch.tensor([0, 1]), torch.tensor([0, 0]), allowed=torch.tensor([[False, True], [False, True]])
    )
    values, _ = SampledSoftmax(0.01)(distances, targets)
    values.sum().backward()
    torch.testing.assert_close(values, torch.tensor([1e6, 0.0]))
    assert distances.grad.isfinite().all()


def test_allowed_tags_are_required() -> None:
    targets = Targets(videos=torch.tensor([0]), positives=torch.tensor([0]))
    with pytest.raises(ValueError, match="which tags are allowed"):
        SampledSoftmax(0.1)(torch.zeros(1, 1), targets)
