"""Records survive JSON unchanged."""

from __future__ import annotations

import json

from tagtower.training.history import EpochMeans, EpochRecord, RoundRecord


def test_records_survive_json(problem):
    for loss in ("triplet", "softmax"):
        result = problem(loss={"name": loss}, train={"epochs": 1}).fit()
        for kind, records in ((EpochRecord, result.history), (RoundRecord, result.rounds)):
            for record in records:
                assert kind.from_json(json.loads(json.dumps(record.to_json()))) == record


def test_means_of_no_step_are_unknown():
    means = EpochMeans()
    assert means.means() == (None, None)
    means.add(1.0, 0.5)
    means.add(3.0, 1.0)
    assert means.means() == (2.0, 0.75)
