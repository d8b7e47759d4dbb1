from __future__ import annotations

import pytest
import torch

from tagtower.config.sections import Settings
from tagtower.training.losses import LOSSES, Targets, build_loss

VIDEOS, TAGS, WIDTH = 4, 9, 6


def settings(loss: str, distance: str = "cosine") -> Settings:
    # A margin that no random pair meets, so that every pair costs something.
    return Settings.model_validate({"loss": {"name": loss, "margin": 9.0}, "distance": {"kind": distance}})


@pytest.fixture
def vectors() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(VIDEOS, WIDTH, generator=generator, requires_grad=True),
        torch.randn(TAGS, WIDTH, generator=generator, requires_grad=True),
    )


@pytest.fixture
def targets() -> Targets:
    allowed = torch.ones(VIDEOS, TAGS, dtype=torch.bool)
    allowed[[0, 0, 1, 2, 3], [0, 1, 2, 3, 4]] = False
    return Targets(
        videos=torch.tensor([0, 0, 1, 2, 3]),
        positives=torch.tensor([0, 1, 2, 3, 4]),
        negatives=torch.tensor([5, 6, 7, 8, 5]),
        allowed=allowed,
    )


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("name", LOSSES)
def test_the_loss_is_the_weighted_mean_of_the_pairs(name, distance, vectors, targets) -> None:
    loss = build_loss(settings(name, distance))
    weights = torch.tensor([1.0, 0.5, 0.0, 2.0, 1.0])
    plain, weighted = loss(*vectors, targets), loss(*vectors, targets, weights)
    torch.testing.assert_close(plain.loss, plain.values.mean())
    torch.testing.assert_close(weighted.loss, (weighted.values * weights).sum() / weights.sum())
    assert torch.equal(weighted.values == 0, weights == 0)
    if name != "infonce":  # which holds videos against one another, and none without weight
        torch.testing.assert_close(weighted.values, plain.values * (weights > 0))
    assert weighted.values.requires_grad
    assert not weighted.active.requires_grad


@pytest.mark.parametrize("name", LOSSES)
def test_a_gate_learns_from_the_weights_that_it_gives(name, vectors, targets) -> None:
    weights = torch.tensor([1.0, 0.5, 0.1, 2.0, 1.0], requires_grad=True)
    value = build_loss(settings(name))(*vectors, targets, weights)
    (value.loss * weights.sum()).backward()
    torch.testing.assert_close(weights.grad, value.values.detach())
    assert not value.active.requires_grad


@pytest.mark.parametrize("name", LOSSES)
def test_both_towers_receive_a_gradient(name, vectors, targets) -> None:
    videos, tags = vectors
    build_loss(settings(name))(videos, tags, targets).loss.backward()
    assert videos.grad is not None
    assert tags.grad is not None
    assert videos.grad.abs().sum() > 0
    assert tags.grad.abs().sum() > 0


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("name", LOSSES)
def test_the_vector_of_an_absent_expert_may_hold_anything(name, distance, vectors, targets) -> None:
    videos, tags = vectors
    broken = videos.detach().clone()
    broken[1] = torch.nan
    broken.requires_grad_()
    present = torch.tensor([1.0, 1.0, 0.0, 1.0, 1.0])
    loss = build_loss(settings(name, distance))
    loss(videos, tags, targets, present).loss.backward()
    expected, tags.grad = tags.grad, None
    value = loss(broken, tags, targets, present)
    value.loss.backward()
    assert value.loss.isfinite()
    torch.testing.assert_close(tags.grad, expected)
    torch.testing.assert_close(broken.grad, videos.grad)


@pytest.mark.parametrize("name", LOSSES)
def test_no_weight_is_no_loss_and_no_gradient(name, vectors, targets) -> None:
    videos, tags = vectors
    value = build_loss(settings(name))(videos, tags, targets, torch.zeros(5))
    value.loss.backward()
    assert (value.loss.item(), value.active.item()) == (0.0, 0.0)
    assert not videos.grad.any()


@pytest.mark.parametrize("name", LOSSES)
def test_autocast_does_not_coarsen_the_distances(name, vectors, targets) -> None:
    loss = build_loss(settings(name))
    with torch.autocast("cpu", torch.bfloat16):
        value = loss(*vectors, targets)
    assert value.loss.dtype == torch.float32
    torch.testing.assert_close(value.loss, loss(*vectors, targets).loss, rtol=0, atol=0)


def test_every_loss_of_the_settings_is_in_the_table() -> None:
    names = Settings.model_fields["loss"].annotation.model_fields["name"].annotation.__args__
    assert set(names) == set(LOSSES)
