"""A head in closed form agrees with refitting example by example, and takes from the prior what it is worth."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from tagtower.training.head_fit import (
    QUIETEST,
    TAG_RIDGE,
    fit_gate,
    fit_head,
    mean_ndcg,
    ridge_regressions,
    tag_targets,
)

VIDEOS, FEATURES, WIDTH, TAGS = 40, 60, 16, 12


@pytest.fixture
def random() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def normal(random: torch.Generator, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=random)


def some_tags(random: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Tags at length one, and two of them for each video."""
    own = torch.zeros(VIDEOS, TAGS, dtype=torch.bool)
    own.scatter_(1, torch.rand((VIDEOS, TAGS), generator=random).topk(2, dim=1).indices, True)
    return F.normalize(normal(random, TAGS, WIDTH), dim=1), own


@pytest.mark.parametrize("features", [10, FEATURES])
def test_held_out_predictions_are_those_of_a_fit_without_the_example(random: torch.Generator, features: int):
    inputs, targets = normal(random, VIDEOS, features).double(), normal(random, VIDEOS, WIDTH).double()
    (found,) = ridge_regressions(inputs, targets, [0.5])
    penalty = 0.5 * (inputs - inputs.mean(0)).square().sum() / VIDEOS
    for left_out in range(VIDEOS):
        rows = torch.arange(VIDEOS) != left_out
        ones = torch.ones(VIDEOS - 1, 1, dtype=torch.float64)
        design = torch.cat([inputs[rows], ones], dim=1)
        ridge = penalty * torch.eye(features + 1, dtype=torch.float64)
        ridge[-1, -1] = 0.0  # the constant is not held down
        solution = torch.linalg.solve(design.T @ design + ridge, design.T @ targets[rows])
        expected = torch.cat([inputs[left_out], ones[0]]) @ solution
        torch.testing.assert_close(found.held_out[left_out], expected)


def test_weight_and_bias_give_the_fit(random: torch.Generator):
    inputs, targets = normal(random, VIDEOS, 5).double(), normal(random, VIDEOS, WIDTH).double()
    (found,) = ridge_regressions(inputs, targets, [1e-9])
    design = torch.cat([inputs, torch.ones(VIDEOS, 1, dtype=torch.float64)], dim=1)
    expected = design @ torch.linalg.lstsq(design, targets).solution
    torch.testing.assert_close(inputs @ found.weight.T + found.bias, expected, rtol=1e-5, atol=1e-5)


def test_targets_are_a_regularised_least_squares_over_the_tags_in_use(random: torch.Generator):
    tags, own = some_tags(random)
    own[:, -1] = False
    targets = tag_targets(tags, own).float()
    design = torch.cat([tags[:-1], TAG_RIDGE**0.5 * torch.eye(WIDTH)])
    wanted = torch.cat([own[:, :-1].float().T, torch.zeros(WIDTH, VIDEOS)])
    torch.testing.assert_close(targets, torch.linalg.lstsq(design, wanted).solution.T, rtol=1e-4, atol=1e-5)
    other = torch.cat([tags[:-1], F.normalize(normal(random, 1, WIDTH), dim=1)])
    torch.testing.assert_close(tag_targets(other, own).float(), targets)


def test_a_prior_that_knows_stays_where_the_features_say_nothing_more(random: torch.Generator):
    tags, own = some_tags(random)
    knowing = own.float() @ tags
    noise = normal(random, VIDEOS, FEATURES)
    features = torch.cat([knowing, 0.01 * noise], dim=1)
    weight = torch.cat([torch.eye(WIDTH), torch.zeros(WIDTH, FEATURES)], dim=1)
    found = fit_head(features, weight, torch.zeros(WIDTH), tags, own)
    assert found.ndcg_at_10 >= mean_ndcg(F.normalize(knowing, dim=1), tags, own)


def test_a_head_learns_from_a_few_examples_what_a_random_prior_does_not_know(random: torch.Generator):
    tags, own = some_tags(random)
    features = own.float() @ normal(random, TAGS, FEATURES) + 0.1 * normal(random, VIDEOS, FEATURES)
    prior = normal(random, WIDTH, FEATURES)
    found = fit_head(features, prior, torch.zeros(WIDTH), tags, own)
    untrained = mean_ndcg(F.normalize(features @ prior.T, dim=1), tags, own)
    assert found.ndcg_at_10 > untrained + 0.3
    fitted = F.normalize(features @ found.weight.T + found.bias, dim=1)
    assert mean_ndcg(fitted, tags, own) >= found.ndcg_at_10  # held out is never better than seen


def test_the_gate_hears_the_expert_that_knows_and_keeps_the_other_alive(random: torch.Generator):
    tags, own = some_tags(random)
    knows = F.normalize(own.float() @ tags, dim=1)
    guesses = F.normalize(normal(random, VIDEOS, WIDTH), dim=1)
    present = torch.ones(VIDEOS, 2, dtype=torch.bool)
    weights = fit_gate(torch.stack([guesses, knows], dim=1), present, tags, own)
    assert weights[1] > 2 * weights[0]
    assert weights[0] >= QUIETEST * weights[1] * (1 - 1e-6)
    torch.testing.assert_close(weights.sum(), torch.tensor(1.0))


def test_the_gate_is_even_between_equals_and_never_reads_what_is_missing(random: torch.Generator):
    tags, own = some_tags(random)
    knows = F.normalize(own.float() @ tags, dim=1)
    present = torch.ones(VIDEOS, 2, dtype=torch.bool)
    present[::2, 0] = False
    experts = torch.stack([knows, knows], dim=1)
    experts[~present] = torch.nan
    torch.testing.assert_close(fit_gate(experts, present, tags, own), torch.tensor([0.5, 0.5]))
