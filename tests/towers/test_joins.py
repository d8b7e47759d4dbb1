from __future__ import annotations

import pytest
import torch

from tagtower.towers.joins import JOINS

WIDTH = 12


def trained(name: str) -> torch.nn.Module:
    """A join whose weights are no longer those of the start."""
    torch.manual_seed(0)
    join = JOINS[name](WIDTH)
    for parameter in join.parameters():
        torch.nn.init.normal_(parameter)
    return join


def full(frames: torch.Tensor) -> torch.Tensor:
    return torch.ones(frames.shape[:2], dtype=torch.bool)


@pytest.mark.parametrize("name", JOINS)
def test_padding_never_leaks(name: str) -> None:
    join = trained(name)
    frames = torch.randn(1, 3, WIDTH)
    padded = torch.cat([frames, torch.full((1, 4, WIDTH), 1e4)], dim=1)
    mask = torch.tensor([[True] * 3 + [False] * 4])
    torch.testing.assert_close(join(padded, mask), join(frames, full(frames)))


@pytest.mark.parametrize("name", JOINS)
def test_padding_takes_no_gradient(name: str) -> None:
    frames = torch.randn(2, 3, WIDTH, requires_grad=True)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    trained(name)(frames, mask).square().sum().backward()
    assert torch.equal(frames.grad[1, 1:], torch.zeros(2, WIDTH))
    assert frames.grad[0].abs().sum() > 0


@pytest.mark.parametrize(("name", "sees_order"), [("mean", False), ("max", False), ("attention", True)])
def test_only_attention_sees_the_order_of_frames(name: str, sees_order: bool) -> None:
    join, frames = trained(name), torch.randn(1, 6, WIDTH)
    forwards, backwards = join(frames, full(frames)), join(frames.flip(1), full(frames))
    assert torch.allclose(forwards, backwards, atol=1e-5) is not sees_order


@pytest.mark.parametrize("name", JOINS)
def test_one_frame_is_enough(name: str) -> None:
    frames = torch.randn(2, 1, WIDTH)
    assert trained(name)(frames, full(frames)).isfinite().all()


def test_untrained_attention_is_the_mean() -> None:
    frames = torch.randn(2, 5, WIDTH)
    torch.testing.assert_close(JOINS["attention"](WIDTH)(frames, full(frames)), frames.mean(1))


def test_attention_learns_which_of_two_pictures_came_first() -> None:
    torch.manual_seed(0)
    join, out = JOINS["attention"](WIDTH), torch.nn.Linear(WIDTH, 1)
    pictures = torch.randn(2, WIDTH)
    first = torch.randint(0, 2, (64,))
    frames = torch.stack([pictures[first], pictures[first], pictures[1 - first], pictures[1 - first]], dim=1)
    frames = frames + 0.1 * torch.randn(frames.shape)
    optimizer = torch.optim.Adam([*join.parameters(), *out.parameters()], 1e-2)
    for _ in range(60):
        answer = out(join(frames, full(frames)))[:, 0]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(answer, first.float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert ((answer > 0).long() == first).all()
