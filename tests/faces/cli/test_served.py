"""A small version of `benchmarks/big_uploads.py`: a real server that is killed, and goes on where it was."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
MODULES = ("big_uploads", "serving", "kills", "data")


@pytest.fixture
def big_uploads():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("big_uploads")
    finally:
        sys.path.remove(str(BENCHMARKS))
        for name in MODULES:
            sys.modules.pop(name, None)


@pytest.mark.slow
def test_a_server_that_is_killed_loses_neither_uploads_nor_videos(big_uploads, tmp_path) -> None:
    pytest.importorskip("psutil")
    with big_uploads.place(
        tmp_path, "sqlite", terminals=1, labelled=1, waiting=12, settings=big_uploads.SETTINGS
    ) as made:
        found = list(big_uploads.killed(made, 8 * 1024 * 1024))
    assert [what for what, good in found if not good] == []
    assert len(found) == 3
    assert "it went on there and is whole (204, 201)" in [what for what, _ in found]
