from __future__ import annotations

import pytest
import torch

from tagtower.towers.joins import JOINS

WIDTH = 12
FRAMES = 8
ORDERED = ("attention", "concat", "gru", "lstm")


def trained(name: str) -> torch.nn.Module:
    """A join whose weights are no longer those of the start."""
    torch.manual_seed(0)
    join = JOINS[name](WIDTH, FRAMES)
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


@pytest.mark.parametrize("name", JOINS)
def test_only_mean_and_max_are_blind_to_the_order_of_frames(name: str) -> None:
    join, frames = trained(name), torch.randn(1, 6, WIDTH)
    forwards, backwards = join(frames, full(frames)), join(frames.flip(1), full(frames))
    assert torch.allclose(forwards, backwards, atol=1e-5) is (name not in ORDERED)


@pytest.mark.parametrize("name", JOINS)
def test_one_frame_is_enough(name: str) -> None:
    frames = torch.randn(2, 1, WIDTH)
    assert trained(name)(frames, full(frames)).isfinite().all()


@pytest.mark.parametrize("name", JOINS)
def test_the_answer_is_as_wide_as_the_join_says(name: str) -> None:
    join, frames = trained(name), torch.randn(3, 5, WIDTH)
    assert join(frames, full(frames)).shape == (3, join.width)


@pytest.mark.parametrize("name", ["attention", "gru", "lstm"])
def test_untrained_it_is_the_mean(name: str) -> None:
    frames = torch.randn(2, 5, WIDTH)
    torch.testing.assert_close(JOINS[name](WIDTH, FRAMES)(frames, full(frames)), frames.mean(1))


def test_concatenated_frames_stand_in_their_places_and_what_is_left_is_zero() -> None:
    frames = torch.randn(2, 3, WIDTH)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    found = JOINS["concat"](WIDTH, FRAMES)(frames, mask).view(2, FRAMES, WIDTH)
    assert torch.equal(found[0, :3], frames[0])
    assert torch.equal(found[1, 0], frames[1, 0])
    assert not found[0, 3:].any()
    assert not found[1, 1:].any()


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_a_recurrent_join_adds_what_is_known_after_the_last_real_frame(name: str) -> None:
    join, frames = trained(name), torch.randn(2, 4, WIDTH)
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    found = join(frames, mask)
    for row, count in enumerate((4, 2)):
        steps, _ = join.network(frames[row : row + 1, :count])
        expected = frames[row, :count].mean(0) + join.out(steps[0, -1])
        torch.testing.assert_close(found[row], expected)


@pytest.mark.parametrize("name", ORDERED)
def test_which_of_two_pictures_came_first_can_be_learnt(name: str) -> None:
    torch.manual_seed(0)
    join = JOINS[name](WIDTH, FRAMES)
    out = torch.nn.Linear(join.width, 1)
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
