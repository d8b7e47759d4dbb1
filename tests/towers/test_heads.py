from __future__ import annotations

import torch

from tagtower.towers.heads import ProjectionHead, unit


def test_untrained_head_keeps_directions_where_the_widths_match() -> None:
    feature = torch.randn(10, 32) * 7
    torch.testing.assert_close(unit(ProjectionHead(32, 32, 8)(feature)), unit(feature))


def test_other_widths_are_projected() -> None:
    assert ProjectionHead(32, 12, 8)(torch.randn(3, 32)).shape == (3, 12)


def test_scale_of_the_feature_does_not_matter() -> None:
    head, feature = ProjectionHead(32, 12, 8), torch.randn(3, 32)
    torch.testing.assert_close(head(feature), head(100 * feature))


def test_both_layers_learn_from_the_first_steps() -> None:
    torch.manual_seed(0)
    head = ProjectionHead(8, 8, 4)
    feature, target = torch.randn(16, 8), torch.randn(16, 8)
    before = {name: value.clone() for name, value in head.named_parameters()}
    optimizer = torch.optim.Adam(head.parameters(), 1e-2)
    for _ in range(2):  # the residual layer opens in the first step, so that its inside learns in the second
        optimizer.zero_grad()
        (head(feature) - target).square().mean().backward()
        optimizer.step()
    assert all(not torch.equal(before[name], value) for name, value in head.named_parameters())
