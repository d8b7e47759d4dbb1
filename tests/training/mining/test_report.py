from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from tagtower.training.mining import BandSizes


@given(st.lists(st.integers(0, 1000), min_size=1))
def test_band_sizes_are_order_statistics(sizes) -> None:
    band = BandSizes.of(torch.tensor(sizes))
    assert (band.least, band.most) == (min(sizes), max(sizes))
    assert {band.p10, band.median, band.p90} <= set(sizes)
    assert band.least <= band.p10 <= band.median <= band.p90 <= band.most


def test_no_pairs_have_no_band() -> None:
    assert BandSizes.of(torch.zeros(0, dtype=torch.int64)) == BandSizes(0, 0, 0, 0, 0)
