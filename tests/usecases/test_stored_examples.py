"""Examples of a split: the same features from memory as from the store."""

from __future__ import annotations

import numpy as np
import pytest

from tagtower.errors import StorageError
from tagtower.features.store import CENTRE, FeatureStore
from tagtower.pipeline.extract import FeatureExtractor
from tagtower.records import Problems
from tagtower.training.manifest import read_manifest
from tagtower.usecases import stored_examples
from tagtower.usecases.stored_examples import StoredExamples

DRAWS = (CENTRE, 0, 1)


@pytest.fixture
def store():
    with FeatureStore.temporary() as opened:
        yield opened


def examples(session, job, store) -> StoredExamples:
    rows = [row for row in read_manifest(job.manifest, problems=Problems()).examples if row.split == "train"]
    tower = session.model.tower
    extractor = FeatureExtractor(tower, tower.settings, session.decoder, store)
    found = StoredExamples(store, DRAWS)
    for row, one in zip(rows, extractor.extract((row.video for row in rows), DRAWS), strict=True):
        found.add(row, one)
    return found


def test_examples_keep_their_order_and_tags(session, job, store):
    found = examples(session, job, store)
    assert len(found) == 6
    assert found.tags(0) == ("red", "low")
    assert found.tags(5) == ("music",)
    assert found.features(2, CENTRE).present == ("image", "text")


def test_what_does_not_fit_into_memory_is_read_from_the_store(session, job, store, monkeypatch):
    held = examples(session, job, store)
    monkeypatch.setattr(stored_examples, "MEMORY_BYTES", 0)
    read = examples(session, job, store)
    assert read.bytes_held == 0
    for row in range(len(held)):
        for draw in DRAWS:
            one, other = held.features(row, draw), read.features(row, draw)
            assert one.present == other.present
            for modality in one.present:
                np.testing.assert_array_equal(getattr(one, modality), getattr(other, modality))


def test_a_store_that_was_emptied_meanwhile_is_told(session, job, store, monkeypatch):
    monkeypatch.setattr(stored_examples, "MEMORY_BYTES", 0)
    found = examples(session, job, store)
    store.prune(0)
    with pytest.raises(StorageError, match="lost features"):
        found.features(0, CENTRE)
    assert found.features(5, CENTRE).present == ("text",)
