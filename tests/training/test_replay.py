"""A step that is encoded in parts has the gradients of the whole."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tagtower.errors import TrainingError
from tagtower.training.events import StepDone
from tagtower.training.replay import Replay
from tagtower.training.weights import copy_weights


class Killed(BaseException):
    """Stands for a death that nobody handles."""


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.3), nn.Tanh(), nn.Linear(8, 4))


@pytest.mark.parametrize("sizes", [(12,), (4, 4, 4), (5, 7), (11, 1)])
def test_gradients_are_those_of_one_graph_with_the_same_draws(sizes) -> None:
    """The loss looks at all rows against all, as a loss in the batch does."""
    inputs = torch.randn(12, 5, generator=torch.Generator().manual_seed(1))
    parts = inputs.split(sizes)
    model = network()

    def encode(part: int) -> tuple[torch.Tensor, ...]:
        torch.manual_seed(part)
        found = model(parts[part])
        return found, found.norm(dim=1), parts[part][:, 0] > 0

    def loss(vectors: torch.Tensor, lengths: torch.Tensor, marked: torch.Tensor) -> torch.Tensor:
        return ((vectors @ vectors.T).logsumexp(1) * lengths)[marked].sum()

    replay = Replay.record(model, encode, len(parts))
    loss(*replay.outputs).backward()
    assert all(parameter.grad is None for parameter in model.parameters()), "nothing reaches the weights yet"
    replay.backward()
    found = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    whole = [
        torch.cat(columns) for columns in zip(*(encode(part) for part in range(len(parts))), strict=True)
    ]
    loss(*whole).backward()
    for got, parameter in zip(found, model.parameters(), strict=True):
        torch.testing.assert_close(got, parameter.grad)


def test_running_statistics_count_every_part_once() -> None:
    inputs = torch.randn(8, 3)
    model, plain = nn.BatchNorm1d(3), nn.BatchNorm1d(3)
    replay = Replay.record(model, lambda part: (model(inputs.chunk(2)[part]),), 2)
    replay.outputs[0].square().sum().backward()
    replay.backward()
    for part in inputs.chunk(2):
        plain(part)
    torch.testing.assert_close(dict(model.named_buffers()), dict(plain.named_buffers()))


@pytest.mark.parametrize(
    ("loss", "scope"),
    [("triplet", "library"), ("triplet", "batch"), ("softmax", "used"), ("infonce", "batch")],
)
def test_training_in_parts_leads_to_the_weights_of_whole_steps(problem, loss, scope) -> None:
    """Up to rounding: without dropout the parts differ from the whole in nothing else."""
    given = {"loss": {"name": loss}, "negatives": {"scope": scope}}
    ends = []
    for parts in (1, 3):
        ready = problem(**given, train={"epochs": 2, "accumulate": parts, "learning_rate": 1e-3})
        tower = ready.tower()
        ready.fit(tower)
        ends.append(copy_weights(tower))
    for name in ends[0]:
        torch.testing.assert_close(ends[1][name], ends[0][name], rtol=1e-2, atol=2e-4, msg=name)


def test_going_on_inside_a_round_changes_nothing(problem, tmp_path) -> None:
    ready = problem(text={"dropout": 0.2}, train={"epochs": 2, "accumulate": 2, "checkpoint_seconds": 1e-9})
    whole, resumed = ready.tower(), ready.tower()
    ready.fit(whole)

    def die(event: object) -> None:
        if isinstance(event, StepDone) and event.step == 13:
            raise Killed

    with pytest.raises(Killed):
        ready.fit(state_folder=tmp_path, on_event=die)
    ready.fit(resumed, state_folder=tmp_path, resume=True)
    assert all(torch.equal(copy_weights(whole)[name], value) for name, value in copy_weights(resumed).items())


def test_a_loss_that_is_not_finite_leaves_the_weights_alone(problem) -> None:
    ready = problem(loss={"name": "softmax", "temperature": 1e-38}, train={"accumulate": 2})
    tower = ready.tower()
    before = copy_weights(tower)
    with pytest.raises(TrainingError, match="diverged"):
        ready.fit(tower)
    assert all(torch.equal(before[name], value) for name, value in copy_weights(tower).items())
