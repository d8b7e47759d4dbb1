"""Every expert has its own loss under the gate, and a share that the gate cannot take away."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from tagtower.config import settings_from
from tagtower.towers import VideoEncoding
from tagtower.training.losses import Targets, build_loss
from tagtower.training.objective import Objective, build_objective, expert_weights

PRESENT = torch.tensor([[True, True, True], [True, False, True], [False, True, False]])
WEIGHTS = torch.tensor([[0.7, 0.3, 0.0], [0.2, 0.0, 0.8], [0.0, 1.0, 0.0]])
TARGETS = Targets(
    videos=torch.tensor([0, 0, 1, 2]),
    positives=torch.tensor([0, 1, 2, 3]),
    negatives=torch.tensor([4, 3, 0, 1]),
    allowed=torch.tensor([[0, 0, 1, 1, 1], [1, 1, 0, 1, 1], [1, 1, 1, 0, 1]]).bool(),
)


def encoding(requires_grad: bool = False) -> tuple[VideoEncoding, torch.Tensor]:
    torch.manual_seed(0)
    experts = F.normalize(torch.randn(3, 3, 6), dim=2).requires_grad_(requires_grad)
    weights = WEIGHTS.clone().requires_grad_(requires_grad)
    fused = F.normalize((experts * (weights * PRESENT)[:, :, None]).sum(1), dim=1)
    return VideoEncoding(fused, experts, weights, PRESENT), F.normalize(torch.randn(5, 6), dim=1)


@pytest.mark.parametrize("name", ["triplet", "softmax"])
def test_it_is_the_sum_that_the_docstring_writes_down(name):
    loss = build_loss(settings_from({"loss": {"name": name}}))
    videos, tags = encoding()
    total, fused = Objective(loss, 0.5)(videos, tags, TARGETS)
    expected = fused.loss.item()
    for pair, video in enumerate(TARGETS.videos.tolist()):
        for expert in range(3):
            if PRESENT[video, expert]:
                weight = (WEIGHTS[video, expert] + 1 / PRESENT[video].sum()) / 2
                own = loss(videos.experts[:, expert], tags, TARGETS).values[pair]
                expected += 0.5 * float(weight * own) / len(TARGETS.videos)
    assert total.item() == pytest.approx(expected, rel=1e-5)


def test_weights_of_the_present_sum_to_one():
    weights = expert_weights(encoding()[0])
    assert torch.allclose(weights.sum(1), torch.ones(3))
    assert (weights[~PRESENT] == 0).all()


def test_an_expert_that_the_gate_ignores_still_learns_and_an_absent_one_does_not():
    loss = build_loss(settings_from({"loss": {"name": "softmax"}}))
    videos, tags = encoding(requires_grad=True)
    total, _ = Objective(loss, 0.5)(videos, tags, TARGETS)
    total.backward()
    gradient = videos.experts.grad.abs().sum(2)
    assert gradient[0, 2] > 0, "present, gate weight 0"
    assert (gradient[~PRESENT] == 0).all()


def test_the_gate_moves_towards_the_expert_that_is_right():
    """A loss that grows as an expert is trusted lowers its weight: the gradient by weight follows the loss."""
    loss = build_loss(settings_from({"loss": {"name": "softmax"}}))
    tags = torch.eye(4)
    experts = torch.stack([tags[0], tags[2]])[None].requires_grad_(True)
    weights = torch.full((1, 2), 0.5, requires_grad=True)
    videos = VideoEncoding(
        F.normalize((experts * weights[:, :, None]).sum(1), dim=1), experts, weights, torch.ones(1, 2).bool()
    )
    targets = Targets(
        videos=torch.tensor([0]),
        positives=torch.tensor([0]),
        allowed=torch.tensor([[False, True, True, True]]),
    )
    total, fused = Objective(loss, 1.0)(videos, tags, targets)
    (total - fused.loss).backward()
    assert weights.grad[0, 0] < weights.grad[0, 1]


def test_a_lone_expert_is_the_fused_vector():
    loss = build_loss(settings_from({"loss": {"name": "softmax"}}))
    videos, tags = encoding()
    lone = VideoEncoding(
        videos.vectors, videos.vectors[:, None], torch.ones(3, 1), torch.ones(3, 1, dtype=torch.bool)
    )
    total, fused = Objective(loss, 0.5)(lone, tags, TARGETS)
    assert total is fused.loss


@pytest.mark.parametrize(("name", "unit"), [("triplet", 0.3), ("softmax", 1.0), ("sigmoid", 1.0)])
def test_with_targets_of_their_own_experts_share_a_pair_as_a_mixture_does(name, unit):
    settings = settings_from(
        {"loss": {"name": name, "margin": 0.3}, "fusion": {"expert_targets": "own", "expert_loss": 0.5}}
    )
    loss, (videos, tags) = build_loss(settings), encoding()
    total, fused = build_objective(settings)(videos, tags, TARGETS)
    expected = fused.loss.item()
    for pair, video in enumerate(TARGETS.videos.tolist()):
        likelihood = 0.0
        for expert in range(3):
            if PRESENT[video, expert]:
                weight = float(WEIGHTS[video, expert] + 1 / PRESENT[video].sum()) / 2
                own = loss(videos.experts[:, expert], tags, TARGETS).values[pair]
                likelihood += weight * math.exp(-float(own) / unit)
        expected -= 0.5 * unit * math.log(likelihood) / len(TARGETS.videos)
    assert total.item() == pytest.approx(expected, rel=1e-5)


def test_an_expert_is_asked_least_for_the_tags_that_another_explains():
    """Each of two experts knows one of a video's two tags, and is wrong about the other: `own` lets that be."""
    tags, pulls = torch.eye(4), {}
    targets = Targets(
        videos=torch.tensor([0, 0]),
        positives=torch.tensor([0, 1]),
        allowed=torch.tensor([[False, False, True, True]]),
    )
    for chosen in ("same", "own"):
        experts = F.normalize(tags[:2] + 0.8 * tags[2:], dim=1)[None].requires_grad_(True)
        videos = VideoEncoding(
            F.normalize(experts.sum(1), dim=1), experts, torch.full((1, 2), 0.5), torch.ones(1, 2).bool()
        )
        settings = settings_from({"loss": {"name": "softmax"}, "fusion": {"expert_targets": chosen}})
        total, fused = build_objective(settings)(videos, tags, targets)
        (total - fused.loss).backward()
        pulls[chosen] = -experts.grad[0]
    for expert, foreign in ((0, 1), (1, 0)):
        assert pulls["same"][expert, foreign] > 1
        assert abs(pulls["own"][expert, foreign]) < 0.1 * pulls["same"][expert, foreign]


@pytest.mark.parametrize("own", [False, True])
def test_absent_experts_may_hold_anything(own):
    loss = build_loss(settings_from({"loss": {"name": "softmax"}}))
    videos, tags = encoding(requires_grad=True)
    broken = videos.experts.detach().masked_fill(~PRESENT[:, :, None], torch.nan).requires_grad_(True)
    total, _ = Objective(loss, 0.5, own_targets=own)(
        VideoEncoding(videos.vectors, broken, videos.weights, PRESENT), tags, TARGETS
    )
    total.backward()
    assert total.isfinite()
    assert broken.grad.isfinite().all()
    assert videos.weights.grad.isfinite().all()


def test_relaxed_codes_pay_for_what_lies_between_the_bits():
    weight = 0.3
    settings = {"loss": {"name": "softmax"}, "distance": {"kind": "hamming", "quantisation": weight}}
    videos, tags = encoding()
    total, _ = build_objective(settings_from(settings))(videos, tags, TARGETS)
    settings["distance"]["quantisation"] = 0.0
    without, _ = build_objective(settings_from(settings))(videos, tags, TARGETS)
    between = [(1 - codes.abs()).square().mean() for codes in (videos.vectors, tags)]
    torch.testing.assert_close(total - without, weight * (between[0] + between[1]) / 2)
