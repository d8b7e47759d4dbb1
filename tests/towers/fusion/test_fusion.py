"""What holds for every way of fusing, and what is each one's own."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from tagtower.config.sections import FusionSettings
from tagtower.towers.fusion import FUSIONS, Addition, Concatenation, Fusion, Multiplication, build_fusion

WIDTH = 6


def moved(kind: str, modalities: int = 3, **options: object) -> torch.nn.Module:
    """A fusion that has left its start."""
    torch.manual_seed(0)
    fusion = build_fusion(FusionSettings(kind=kind, **options), modalities, WIDTH).eval()
    with torch.no_grad():
        for parameter in fusion.parameters():
            parameter.add_(torch.randn_like(parameter))
    return fusion


def experts(videos: int = 4, modalities: int = 3) -> torch.Tensor:
    torch.manual_seed(1)
    return F.normalize(torch.randn(videos, modalities, WIDTH), dim=-1)


@pytest.mark.parametrize("kind", FUSIONS)
def test_it_is_a_fusion_and_says_so(kind: str) -> None:
    assert isinstance(moved(kind), Fusion)


@pytest.mark.parametrize("kind", FUSIONS)
def test_what_a_missing_modality_holds_changes_nothing_and_gets_no_gradient(kind: str) -> None:
    fusion, present = moved(kind), torch.tensor([[True, False, True]])
    values = experts(1)
    values[0, 1] = torch.nan
    values.requires_grad_()
    fused, weights = fusion(values, present)
    filled = values.detach().clone()
    filled[0, 1] = 1e6
    assert torch.equal(fusion(filled, present)[0], fused)
    fused.square().sum().backward()
    assert torch.equal(values.grad[0, 1], torch.zeros(WIDTH))
    assert (values.grad[0, [0, 2]] != 0).all()
    assert weights[0, 1] == 0


@pytest.mark.parametrize("kind", FUSIONS)
def test_a_video_gets_the_same_whoever_stands_beside_it(kind: str) -> None:
    fusion, values = moved(kind), experts()
    present = torch.tensor(
        [[True, True, True], [True, False, False], [False, True, True], [False, False, True]]
    )
    together = fusion(values, present)[0]
    for row in range(4):
        torch.testing.assert_close(fusion(values[row : row + 1], present[row : row + 1])[0][0], together[row])


@pytest.mark.parametrize("kind", FUSIONS)
def test_one_modality_is_passed_through_and_needs_no_parameters(kind: str) -> None:
    fusion, values = moved(kind, 1, modality_dropout=0.9).train(), experts(3, 1)
    fused, weights = fusion(values, torch.ones(3, 1, dtype=torch.bool))
    assert torch.equal(fused, values[:, 0])
    assert torch.equal(weights, torch.ones(3, 1))
    assert not list(fusion.parameters())


@pytest.mark.parametrize("kind", ["concat", "add", "multiply"])
def test_without_a_gate_all_that_are_present_weigh_the_same(kind: str) -> None:
    present = torch.tensor([[True, True, False], [False, False, True]])
    weights = moved(kind)(experts(2), present)[1]
    assert weights.tolist() == [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]


@pytest.mark.parametrize("kind", FUSIONS)
def test_modalities_are_hidden_in_training_only(kind: str) -> None:
    fusion, values = moved(kind, modality_dropout=0.5), experts(200)
    present = torch.ones(200, 3, dtype=torch.bool)
    fused, weights = fusion(values, present)
    assert (weights > 0).all()
    hidden, fewer = fusion.train()(values, present)
    untouched = (fewer > 0).all(1)
    assert 0 < untouched.sum() < 200
    torch.testing.assert_close(hidden[untouched], fused[untouched])
    torch.testing.assert_close(hidden, fusion.eval()(values, fewer > 0)[0])


def test_add_is_the_mean_of_those_present() -> None:
    values, present = experts(), torch.tensor([[True, True, False]] * 4)
    torch.testing.assert_close(Addition()(values, present)[0], values[:, :2].mean(1))


def test_a_missing_factor_is_one() -> None:
    values, present = experts(), torch.tensor([[True, False, True]] * 4)
    torch.testing.assert_close(Multiplication()(values, present)[0], values[:, 0] * values[:, 2])


def test_concat_starts_as_the_mean_and_sees_who_is_missing() -> None:
    values, present = experts(), torch.ones(4, 3, dtype=torch.bool)
    torch.testing.assert_close(Concatenation(3, WIDTH)(values, present)[0], values.mean(1))
    silent = torch.zeros(1, 3, WIDTH)
    both, one = torch.tensor([[True, True, True]]), torch.tensor([[True, True, False]])
    fusion = moved("concat")
    assert not torch.allclose(fusion(silent, both)[0], fusion(silent, one)[0])


def test_concat_is_one_linear_layer_over_experts_and_indicators() -> None:
    fusion, values = moved("concat"), experts(1)
    row = torch.cat([values[0, 0], torch.zeros(WIDTH), values[0, 2], torch.tensor([1.0, 0.0, 1.0])])
    expected = F.linear(row, fusion.joint.weight, fusion.joint.bias)
    torch.testing.assert_close(fusion(values, torch.tensor([[True, False, True]]))[0][0], expected)


def test_every_kind_of_the_settings_is_in_the_table() -> None:
    assert set(FusionSettings.model_fields["kind"].annotation.__args__) == set(FUSIONS)
