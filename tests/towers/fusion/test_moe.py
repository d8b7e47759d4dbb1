from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from tagtower.towers.fusion import MixtureOfExperts

WIDTH = 6


def opinionated(modalities: int = 3, **options: object) -> MixtureOfExperts:
    """A mixture whose gate is no longer even."""
    torch.manual_seed(0)
    fusion = MixtureOfExperts(modalities, WIDTH, **options)
    torch.nn.init.normal_(fusion.gate.weight)
    return fusion.eval()


def experts(videos: int = 4, modalities: int = 3) -> torch.Tensor:
    return F.normalize(torch.randn(videos, modalities, WIDTH), dim=-1)


def patterns(modalities: int = 3) -> torch.Tensor:
    """Every way to have at least one modality."""
    rows = [[bool(k >> m & 1) for m in range(modalities)] for k in range(1, 2**modalities)]
    return torch.tensor(rows)


@pytest.mark.parametrize("top_k", [None, 1, 2, 3])
@pytest.mark.parametrize("training", [False, True])
def test_weights_sum_to_one_over_those_present(top_k: int | None, training: bool) -> None:
    fusion, present = opinionated(top_k=top_k, modality_dropout=0.5).train(training), patterns()
    _, weights = fusion(experts(len(present)), present)
    torch.testing.assert_close(weights.sum(1), torch.ones(len(present)))
    assert torch.equal(weights[~present], torch.zeros(int((~present).sum())))
    assert (weights >= 0).all()


def test_what_a_missing_modality_holds_changes_nothing() -> None:
    fusion = opinionated()
    present = torch.tensor([[True, False, True]])
    values = experts(1)
    other = values.clone()
    other[0, 1] = 1e6
    for a, b in zip(fusion(values, present), fusion(other, present), strict=True):
        assert torch.equal(a, b)


def test_a_missing_modality_gets_no_gradient() -> None:
    fusion, values = opinionated(), experts(1).requires_grad_()
    fused, weights = fusion(values, torch.tensor([[True, False, True]]))
    (fused.square().sum() + weights[:, 0].sum()).backward()
    assert torch.equal(values.grad[0, 1], torch.zeros(WIDTH))
    assert values.grad[0, 0].abs().sum() > 0


def test_fused_is_the_weighted_sum() -> None:
    values, present = experts(), torch.tensor([[True, True, False]] * 4)
    fused, weights = opinionated()(values, present)
    for row in range(4):
        expected = sum(weights[row, m] * values[row, m] for m in range(2))
        torch.testing.assert_close(fused[row], expected)


def test_one_modality_is_passed_through() -> None:
    fusion, values = MixtureOfExperts(1, WIDTH, modality_dropout=0.9).train(), experts(3, 1)
    fused, weights = fusion(values, torch.ones(3, 1, dtype=torch.bool))
    assert torch.equal(fused, values[:, 0])
    assert torch.equal(weights, torch.ones(3, 1))
    assert not list(fusion.parameters())


def test_the_gate_starts_even() -> None:
    _, weights = MixtureOfExperts(3, WIDTH)(experts(1), torch.tensor([[True, True, False]]))
    assert weights.tolist() == [[0.5, 0.5, 0.0]]


@pytest.mark.parametrize("top_k", [1, 2])
def test_only_the_best_k_speak(top_k: int) -> None:
    values, present = experts(8), torch.ones(8, 3, dtype=torch.bool)
    _, all_weights = opinionated()(values, present)
    _, weights = opinionated(top_k=top_k)(values, present)
    best = all_weights.topk(top_k).indices
    assert ((weights > 0).sum(1) == top_k).all()
    assert torch.equal(weights.topk(top_k).indices, best)


@pytest.mark.parametrize("top_k", [None, 1])
def test_the_gate_learns_from_the_loss_whom_to_trust(top_k: int | None) -> None:
    """The second expert knows the answer and the first is noise: the weight must move to the second."""
    torch.manual_seed(0)
    fusion = MixtureOfExperts(2, WIDTH, top_k=top_k)
    target = F.normalize(torch.randn(64, WIDTH), dim=-1)
    values = torch.stack([F.normalize(torch.randn(64, WIDTH), dim=-1), target], dim=1)
    present = torch.ones(64, 2, dtype=torch.bool)
    optimizer = torch.optim.Adam(fusion.parameters(), 0.05)
    for _ in range(60):
        fused, _ = fusion(values, present)
        loss = (1 - F.cosine_similarity(fused, target, dim=-1)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    _, weights = fusion.eval()(values, present)
    assert weights[:, 1].mean() > 0.85


def test_modalities_are_hidden_in_training_only() -> None:
    values, present = experts(200), torch.ones(200, 3, dtype=torch.bool)
    fusion = opinionated(modality_dropout=0.5)
    assert (fusion(values, present)[1] > 0).all()
    assert (fusion.train()(values, present)[1] == 0).any()
