"""Validation gives the metrics of the plain full matrix, over the videos that have a tag in the library."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tagtower.evaluation.metrics import ranking_metrics
from tagtower.features.store import FeatureStore
from tagtower.library.tags import TagLibrary
from tagtower.pipeline.vectors import TagVectors
from tagtower.records import Tag
from tagtower.towers import DISTANCES, collate_texts, collate_videos
from tagtower.training.batches import RankedTags, TagBatches
from tagtower.training.belonging import labelled
from tagtower.training.encode import Encoder
from tagtower.training.precision import Precision
from tagtower.training.rounds import Rounds
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
    found = validation(library, RankedTags(TagBatches(tags, tower.device)))
    with torch.no_grad():
        videos = tower.encode_videos(collate_videos(ready.data.val.listed_features, ("text",))).vectors
        distances = DISTANCES[kind](videos, tower.encode_tags(collate_texts(tags))).numpy()
    relevant = np.array([[text in own for text in library.texts] for own in ready.data.val.listed_tags])
    expected = ranking_metrics(distances, relevant)
    assert found.metrics.videos == expected.videos < len(ready.data.val)
    assert found.score == pytest.approx(expected.ndcg_at_10, abs=1e-6)
    assert found.weights == {"text": 1.0}
    assert found.gate_entropy is None


@pytest.mark.parametrize(
    "tag",
    [
        {"aliases": "off"},
        {"aliases": "nearest"},
        {"aliases": "off", "descriptions": "nearest"},
        {"aliases": "nearest", "descriptions": "nearest", "memory": True},
    ],
)
def test_tags_are_judged_by_the_wordings_that_labelling_ranks_them_by(problem, tag):
    """Aliases of every third tag and descriptions of every fifth say what the tag itself does not."""
    ready = problem(tag=tag)
    names = ready.library.texts
    vectors, draw = ready.tag_vectors, np.random.default_rng(1)
    tags = []
    for place, name in enumerate(names):
        one = Tag(name, (f"{name} alias",) * (place % 3 == 0), f"what {name} is" if place % 5 == 0 else None)
        vectors[f"{name} alias"] = vectors[f"{name}: what {name} is"] = vectors[name]
        if one.aliases or one.description:
            vectors[name] = draw.normal(size=len(vectors[name])).astype(np.float32)
        tags.append(one)
    library = TagLibrary.from_tags(tags)
    tower = ready.tower().eval()
    encoder = Encoder(tower, Precision.choose("fp32", tower.device), 32, lambda: None)
    rounds = Rounds(ready.settings, ready.data.train, encoder, lambda: library, ready.tag_features, labelled)
    found = Validation(encoder, ready.data.val)(library, rounds.snapshot().ranked)

    tower.tag_features = ready.tag_features
    with FeatureStore.temporary() as store, torch.no_grad():
        index = TagVectors(tower, "fingerprint", store).index(library)
        videos = tower.encode_videos(collate_videos(ready.data.val.listed_features, ("text",))).vectors
        distances = index.distances(videos.numpy())
    relevant = np.array([[text in own for text in names] for own in ready.data.val.listed_tags])
    assert found.score == pytest.approx(ranking_metrics(distances, relevant).ndcg_at_10, abs=1e-6)
    by_name = Validation(encoder, ready.data.val)(library, RankedTags(rounds.snapshot().tags)).score
    assert (found.score != pytest.approx(by_name, abs=1e-3)) == (tag != {"aliases": "off"})
