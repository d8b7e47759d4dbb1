from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from tagtower.training.losses import PairwiseSigmoid, Targets


@given(seed=st.integers(0, 10_000), temperature=st.floats(0.05, 2.0), boundary=st.floats(0.0, 1.0))
def test_agrees_with_binary_cross_entropy_over_every_video_and_tag(seed, temperature, boundary) -> None:
    """Summed over the pairs: each video's tags are yes, each allowed tag is no, each asked once."""
    generator = torch.Generator().manual_seed(seed)
    distances = torch.rand(4, 9, generator=generator, requires_grad=True)
    own = torch.rand(4, 9, generator=generator) < 0.4
    own[:, 0] = True
    rows, columns = own.nonzero(as_tuple=True)
    values, _ = PairwiseSigmoid(temperature, boundary)(distances, Targets(rows, columns, allowed=~own))
    expected = F.binary_cross_entropy_with_logits(
        (boundary - distances) / temperature, own.float(), reduction="sum"
    )
    torch.testing.assert_close(values.sum(), expected, rtol=1e-4, atol=1e-4)
    got = torch.autograd.grad(values.sum(), distances, retain_graph=True)[0]
    torch.testing.assert_close(got, torch.autograd.grad(expected, distances)[0], rtol=1e-3, atol=1e-4)


def test_with_one_tag_a_video_it_is_siglip_at_its_start() -> None:
    """Source: the pseudocode of the paper, with t = 10 and b = -10."""
    torch.manual_seed(0)
    videos, tags = F.normalize(torch.randn(5, 8)), F.normalize(torch.randn(5, 8))
    logits = videos @ tags.T * 10 - 10
    labels = 2 * torch.eye(5) - torch.ones(5, 5)
    expected = -F.logsigmoid(labels * logits).sum() / 5
    both = torch.arange(5)
    values, _ = PairwiseSigmoid(0.1, 0.0)(
        1 - videos @ tags.T, Targets(both, both, allowed=~torch.eye(5).bool())
    )
    torch.testing.assert_close(values.mean(), expected)


def test_it_asks_for_a_side_of_the_boundary_not_for_an_order() -> None:
    """Where both tags lie far inside, the negative alone is moved; a softmax would leave the well ordered alone."""
    distances = torch.tensor([[0.0, 0.1]], requires_grad=True)
    targets = Targets(torch.tensor([0]), torch.tensor([0]), allowed=torch.tensor([[False, True]]))
    values, active = PairwiseSigmoid(0.05, 0.5)(distances, targets)
    values.sum().backward()
    assert not active.item()
    assert distances.grad[0, 1] < -10
    assert distances.grad[0, 0].abs() < 1e-2


def test_own_tags_are_not_asked_about() -> None:
    distances = torch.tensor([[0.1, 0.2, 0.9]], requires_grad=True)
    targets = Targets(torch.tensor([0]), torch.tensor([0]), allowed=torch.tensor([[False, False, True]]))
    PairwiseSigmoid(0.5, 0.5)(distances, targets)[0].sum().backward()
    assert distances.grad[0, 1] == 0


def test_allowed_tags_are_required() -> None:
    with pytest.raises(ValueError, match="which tags are allowed"):
        PairwiseSigmoid(0.1, 0.5)(torch.zeros(1, 1), Targets(torch.tensor([0]), torch.tensor([0])))
