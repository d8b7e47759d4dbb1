from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tagtower.towers.fusion.hiding import even_weights, hide_modalities


def patterns(modalities: int = 3) -> torch.Tensor:
    """Every way to have at least one modality."""
    rows = [[bool(k >> m & 1) for m in range(modalities)] for k in range(1, 2**modalities)]
    return torch.tensor(rows)


@given(probability=st.floats(0, 0.99), seed=st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_hiding_never_takes_the_last_modality_nor_adds_one(probability: float, seed: int) -> None:
    torch.manual_seed(seed)
    present = patterns()
    kept = hide_modalities(present, probability)
    assert kept.any(1).all()
    assert not (kept & ~present).any()


def test_hiding_takes_as_many_as_asked_for_and_spares_all_alike() -> None:
    torch.manual_seed(0)
    present = torch.ones(20_000, 3, dtype=torch.bool)
    hidden = 1 - hide_modalities(present, 0.2).float().mean(0)
    # Where all three would go one stays: the rate is a third of 0.2**3 lower.
    torch.testing.assert_close(hidden, torch.full((3,), 0.2 - 0.2**3 / 3), atol=0.01, rtol=0)
    alone = hide_modalities(present, 0.99).float().mean(0)
    assert (alone - alone.mean()).abs().max() < 0.02


def test_nothing_is_drawn_where_nothing_is_hidden() -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    assert torch.equal(hide_modalities(patterns(), 0.0), patterns())
    assert torch.equal(torch.rand(1), expected)


def test_even_weights_are_shared_by_those_present() -> None:
    weights = even_weights(torch.tensor([[True, False, True, True], [False, True, False, False]]))
    torch.testing.assert_close(weights, torch.tensor([[1 / 3, 0, 1 / 3, 1 / 3], [0, 1, 0, 0]]))
