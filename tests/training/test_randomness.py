"""Every purpose and every step has numbers of its own, the same each time."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from tagtower.training.randomness import derived_seed, generator

counters = st.lists(st.integers(0, 10**9), max_size=3)


@given(st.integers(0, 2**32), st.text(max_size=8), counters)
def test_a_seed_fits_torch_and_repeats(seed, purpose, counts):
    value = derived_seed(seed, purpose, *counts)
    assert 0 <= value < 2**63
    assert value == derived_seed(seed, purpose, *counts)


def test_neighbours_differ():
    seeds = {
        derived_seed(seed, purpose, *counts)
        for seed in range(3)
        for purpose in ("order", "dropout")
        for counts in ((), (1,), (11,), (1, 1), (1, 2))
    }
    assert len(seeds) == 30


def test_a_generator_starts_over_each_time():
    first, again = (torch.rand(4, generator=generator(0, "order", 3)) for _ in range(2))
    assert torch.equal(first, again)
