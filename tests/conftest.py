"""Shape and type checks for every function of the package, and the folder of real data where there is one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

install_import_hook("tagtower", "beartype.beartype")


@pytest.fixture(scope="session")
def bench_data() -> Path:
    """The folder that TAGTOWER_BENCH_DATA names; the test is skipped where there is none."""
    folder = os.environ.get("TAGTOWER_BENCH_DATA")
    if not folder or not (Path(folder) / "data").is_dir():
        pytest.skip("TAGTOWER_BENCH_DATA names no folder of benchmark data")
    return Path(folder)
