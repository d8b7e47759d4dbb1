"""What holds for every family of descriptors."""

from __future__ import annotations

import numpy as np
import pytest

from tagtower.features.descriptors import DESCRIPTORS


@pytest.mark.parametrize("name", DESCRIPTORS)
@pytest.mark.parametrize("side", [8, 65, 96])
def test_the_width_is_that_of_the_table_whatever_the_frame(name: str, side: int) -> None:
    frame = np.random.default_rng(side).integers(0, 256, (side, side, 3), dtype=np.uint8)
    found = DESCRIPTORS[name].describe(frame)
    assert found.shape == (DESCRIPTORS[name].width,)
    assert 0.5 < np.linalg.norm(found) < 4


@pytest.mark.parametrize("name", DESCRIPTORS)
@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_frame_gives_finite_numbers(name: str, level: int) -> None:
    assert np.isfinite(DESCRIPTORS[name].describe(np.full((32, 32, 3), level, np.uint8))).all()
