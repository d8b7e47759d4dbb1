"""What training changes is taken out once, without what is frozen, and put back in place."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tagtower.training.weights import copy_weights, interpolate_weights, put_weights


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Linear(2, 2)
        self.again = self.shared
        self.norm = nn.BatchNorm1d(2)
        self.frozen = nn.Linear(2, 2).requires_grad_(False)
        self.register_buffer("scratch", torch.zeros(2), persistent=False)


def test_shared_once_frozen_and_scratch_never():
    assert set(copy_weights(Model())) == {
        "shared.weight",
        "shared.bias",
        "norm.weight",
        "norm.bias",
        "norm.running_mean",
        "norm.running_var",
        "norm.num_batches_tracked",
    }


def test_a_copy_stays_as_it_was_and_can_be_put_back():
    model = Model()
    weights = copy_weights(model)
    kept = model.shared.weight.clone()
    with torch.no_grad():
        model.shared.weight.add_(1.0)
        model.norm.running_mean.add_(1.0)
    put_weights(model, weights)
    assert torch.equal(model.shared.weight, kept)
    assert torch.equal(model.norm.running_mean, torch.zeros(2))
    assert model.again.weight is model.shared.weight


def test_weights_of_another_model_are_refused():
    with pytest.raises(KeyError):
        put_weights(Model(), {})


def test_between_two_weights_and_at_either_end():
    start = {"w": torch.tensor([0.0, 2.0]), "n": torch.tensor(1)}
    end = {"w": torch.tensor([1.0, 0.1]), "n": torch.tensor(5)}
    between = interpolate_weights(start, end, 0.25)
    assert torch.allclose(between["w"], torch.tensor([0.25, 1.525]))
    assert between["n"] == 5
    assert torch.equal(interpolate_weights(start, end, 1.0)["w"], end["w"])
