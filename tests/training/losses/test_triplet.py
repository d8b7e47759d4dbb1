from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from tagtower.training.losses import NO_NEGATIVE, Loss, Targets, Triplet


def cosine(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    return 1 - F.cosine_similarity(left, right)


def euclidean(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    return (left - right).norm(dim=-1)


@pytest.mark.parametrize("distance", [cosine, euclidean])
@given(seed=st.integers(0, 10_000), pairs=st.integers(1, 20), margin=st.floats(0.01, 2.0))
def test_agrees_with_torch_in_value_and_gradient(distance, seed, pairs, margin) -> None:
    generator = torch.Generator().manual_seed(seed)
    videos = torch.randn(5, 8, generator=generator, requires_grad=True)
    tags = torch.randn(12, 8, generator=generator, requires_grad=True)
    rows = torch.randint(5, (pairs,), generator=generator)
    positives, negatives = torch.randint(12, (2, pairs), generator=generator).unbind(0)

    value = Loss(distance.__name__, Triplet(margin))(videos, tags, Targets(rows, positives, negatives))
    expected = F.triplet_margin_with_distance_loss(
        videos[rows],
        tags[positives],
        tags[negatives],
        distance_function=distance,
        margin=margin,
        reduction="none",
    )
    torch.testing.assert_close(value.values, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(value.active, (expected > 0).float().mean())
    for got, want in zip(
        torch.autograd.grad(value.loss, (videos, tags)),
        torch.autograd.grad(expected.mean(), (videos, tags)),
        strict=True,
    ):
        torch.testing.assert_close(got, want, rtol=1e-3, atol=1e-5)


def test_a_pair_without_a_negative_costs_nothing() -> None:
    distances = torch.tensor([[0.3, 0.4]], requires_grad=True)
    targets = Targets(
        videos=torch.tensor([0, 0]), positives=torch.tensor([0, 0]), negatives=torch.tensor([1, NO_NEGATIVE])
    )
    values, active = Triplet(0.2)(distances, targets)
    torch.testing.assert_close(values, torch.tensor([0.1, 0.0]))
    assert active.tolist() == [True, False]


def test_a_negative_at_or_beyond_the_margin_has_no_gradient() -> None:
    distances = torch.tensor([[0.25, 0.75]], requires_grad=True)
    targets = Targets(videos=torch.tensor([0]), positives=torch.tensor([0]), negatives=torch.tensor([1]))
    values, active = Triplet(0.5)(distances, targets)
    values.sum().backward()
    assert (values.item(), active.item()) == (0.0, False)
    assert not distances.grad.any()


def test_mined_negatives_are_required() -> None:
    targets = Targets(videos=torch.tensor([0]), positives=torch.tensor([0]))
    with pytest.raises(ValueError, match="one mined negative for each pair"):
        Triplet(0.2)(torch.zeros(1, 1), targets)
