"""The rate rises, falls along a cosine, and never stands still at zero; the optimiser's state can be taken along."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from tagtower.training.optimiser import Optimiser, rate_factor


def test_the_rate_rises_in_a_line_and_falls_to_nearly_nothing():
    factors = [rate_factor(step, 100, 0.1) for step in range(100)]
    assert factors[:10] == pytest.approx([place / 10 for place in range(1, 11)])
    assert factors[10] == 1.0
    assert factors[55] == pytest.approx(0.5)
    assert all(earlier > later for earlier, later in itertools.pairwise(factors[10:]))
    assert 0 < factors[-1] < 0.001


@pytest.mark.parametrize(("steps", "warmup"), [(1, 0.05), (1, 0.0), (3, 1.0), (2, 0.5)])
def test_short_trainings_move_too(steps, warmup):
    assert all(0 < rate_factor(step, steps, warmup) <= 1 for step in range(steps))


def one_step(optimiser: Optimiser, tower: torch.nn.Module, step: int) -> float:
    torch.manual_seed(step)
    for parameter in tower.parameters():
        if parameter.requires_grad:
            parameter.grad = torch.randn_like(parameter)
    return optimiser.step(step)[0]


def test_its_state_can_be_taken_along(problem):
    ready = problem()
    first, second = ready.tower(), ready.tower()
    optimiser = Optimiser(first, ready.settings.train, 10)
    one_step(optimiser, first, 0)
    second.load_state_dict(first.state_dict())
    resumed = Optimiser(second, ready.settings.train, 10)
    resumed.load(optimiser.tensors())
    one_step(optimiser, first, 1)
    one_step(resumed, second, 1)
    assert all(
        torch.equal(one, other) for one, other in zip(first.parameters(), second.parameters(), strict=True)
    )


def test_gradients_that_are_not_finite_move_nothing(problem):
    ready = problem()
    tower = ready.tower()
    optimiser = Optimiser(tower, ready.settings.train, 10)
    before = [parameter.clone() for parameter in tower.parameters()]
    for parameter in tower.parameters():
        if parameter.requires_grad:
            parameter.grad = torch.full_like(parameter, torch.nan)
    norm, _ = optimiser.step(0)
    assert math.isnan(norm)
    assert all(torch.equal(one, other) for one, other in zip(before, tower.parameters(), strict=True))
