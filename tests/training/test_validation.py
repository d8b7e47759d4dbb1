"""Validation gives the metrics of the plain full matrix, over the videos that have a tag in the library."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tagtower.evaluation.metrics import ranking_metrics
from tagtower.library.tags import TagLibrary
from tagtower.towers import DISTANCES, collate_texts, collate_videos
from tagtower.training.batches import TagBatches
from tagtower.training.encode import Encoder
from tagtower.training.precision import Precision
from tagtower.training.validation import Validation


@pytest.mark.parametrize("kind", ["cosine", "euclidean"])
def test_it_agrees_with_the_full_matrix(problem, kind):
    ready = problem(distance={"kind": kind})
    tower = ready.tower().eval()
    library = TagLibrary.from_tags(ready.library.tags[:15])
    tags = ready.tag_features(library.texts)
    validation = Validation(
        Encoder(tower, Precision.choose("fp32", tower.device), 32, lambda: None), ready.data.val
    )
    found = validation(library, TagBatches(tags, tower.device))
    with torch.no_grad():
        videos = tower.encode_videos(collate_videos(ready.data.val.listed_features, ("text",))).vectors
        distances = DISTANCES[kind](videos, tower.encode_tags(collate_texts(tags))).numpy()
    relevant = np.array([[text in own for text in library.texts] for own in ready.data.val.listed_tags])
    expected = ranking_metrics(distances, relevant)
    assert found.metrics.videos == expected.videos < len(ready.data.val)
    assert found.score == pytest.approx(expected.ndcg_at_10, abs=1e-6)
    assert found.weights == {"text": 1.0}
    assert found.gate_entropy is None
