"""`tagtower data store` shows the feature store and cuts it down."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tagtower.faces.cli.main import main
from tagtower.features.store import CENTRE, FeatureKey
from tagtower.usecases.session import open_store


def test_the_store_is_shown_and_pruned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_store(tmp_path) as store:
        store.put_many({FeatureKey(str(k), "spec", CENTRE): np.zeros(1000, np.float32) for k in range(3)})
    assert main(["data", "store", "--store", str(tmp_path), "--json"]) == 0
    before = json.loads(capsys.readouterr().out)
    assert before["entries"] == 3
    assert before["bytes"] >= 12_000
    assert main(["data", "store", "--store", str(tmp_path), "--prune", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["entries"] == 0
