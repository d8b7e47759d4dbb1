"""Tags that persons rejected are held against their video, and it moves away from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tagtower.library.tags import TagLibrary
from tagtower.records import Tag
from tagtower.towers import VideoFeatures, collate_texts
from tagtower.towers.distances import cosine
from tagtower.training.batches import video_batches
from tagtower.training.belonging import build_positives, labelled
from tagtower.training.dataset import MemoryExamples, TrainingData
from tagtower.training.encode import Encoder
from tagtower.training.precision import Precision
from tagtower.training.trainer import fit

LOSSES = {
    "softmax": {"loss": {"name": "softmax", "negatives": 1}},
    "sigmoid": {"loss": {"name": "sigmoid", "negatives": 1}},
    "infonce": {"loss": {"name": "infonce"}, "train": {"batch_size": 8}},
    "triplet": {"loss": {"name": "triplet", "margin": 0.3}},
    "triplet in the batch": {
        "loss": {"name": "triplet", "margin": 0.3},
        "negatives": {"rule": "semi-hard", "scope": "batch"},
    },
}


def distances(problem, tower, rows: torch.Tensor) -> torch.Tensor:
    """How far each tag of the library is from some of the training videos."""
    encoder = Encoder(tower.eval(), Precision.choose("fp32", tower.device), 64, lambda: None)
    batches = video_batches(problem.data.train, tower.modalities)
    with torch.inference_mode():
        tags = tower.encode_tags(collate_texts(problem.tag_features(problem.library.texts)))
        return cosine(encoder.videos(batches, rows).vectors, tags)


@pytest.mark.parametrize("name", LOSSES)
def test_a_video_moves_away_from_its_rejected_tag(problem, name):
    ready = problem(videos=160, **LOSSES[name])
    rows = torch.arange(60)
    plain = ready.tower()
    ready.fit(plain)
    before = distances(ready, plain, rows)
    own = labelled(ready.data.train, ready.library).own.mask(len(ready.library))[rows]
    rejected = before.masked_fill(own, torch.inf).argmin(dim=1)  # what it would suggest next
    texts = [(ready.library.texts[tag],) for tag in rejected.tolist()] + [()] * (len(ready.data.train) - 60)
    told = TrainingData(replace(ready.data.train, listed_rejected=texts), ready.data.val)
    tower = ready.tower()
    ready.fit(tower, data=told)
    after = distances(ready, tower, rows)
    farther = (after - before)[torch.arange(60), rejected]
    others = (after - before).masked_fill(own, torch.nan).nanmean(dim=1)
    assert farther.mean() > others.mean() + 0.03
    assert (farther > 0).float().mean() > 0.8


@pytest.mark.parametrize("name", LOSSES)
def test_without_rejected_tags_training_is_bit_for_bit_what_it_was_whatever_the_share(problem, name):
    weights = []
    for share in (0.0, 1.0):
        changes = {**LOSSES[name], "negatives": {**LOSSES[name].get("negatives", {}), "rejected": share}}
        ready = problem(videos=64, **changes)
        tower = ready.tower()
        ready.fit(tower)
        weights.append(tower.state_dict())
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_a_training_with_other_rejected_tags_is_another(problem, tmp_path):
    from tagtower.errors import TrainingError

    ready = problem(videos=64)
    fit(
        ready.tower(),
        ready.data,
        lambda: ready.library,
        ready.settings,
        tag_features=ready.tag_features,
        state_folder=tmp_path,
    )
    told = replace(ready.data.train, listed_rejected=[("tag 1",)] * len(ready.data.train))
    with pytest.raises(TrainingError, match="training examples differ"):
        fit(
            ready.tower(),
            TrainingData(told, ready.data.val),
            lambda: ready.library,
            ready.settings,
            tag_features=ready.tag_features,
            state_folder=tmp_path,
            resume=True,
        )


def test_what_is_the_videos_own_is_never_rejected():
    library = TagLibrary.from_tags([Tag("sea"), Tag("car", aliases=("automobile",)), Tag("fox")])
    examples = MemoryExamples(
        [("sea",), ("automobile",), ()],
        [VideoFeatures()] * 3,
        (),
        [("fox", "stranger", "FOX"), ("car", "sea"), ()],
    )
    found = labelled(examples, library).rejected
    assert found.counts.tolist() == [1, 1, 0]
    assert found.tags.tolist() == [2, 0]


def test_a_rejected_tag_is_no_positive_however_similar_its_title(problem):
    library = TagLibrary.from_tags([Tag("sea"), Tag("car"), Tag("fox")])
    examples = MemoryExamples(
        [(), ()], [VideoFeatures()] * 2, ["a car at the sea", "a car at the sea"], [("car",), ()]
    )
    settings = problem(positives={"source": "similarity", "similarity": "words"}).settings
    found = build_positives(settings, lambda texts: [np.zeros(2, np.float32) for _ in texts])(
        examples, library
    )
    assert found.own.mask(3).tolist() == [[True, False, False], [True, True, False]]
    assert not found.barred.mask(3)[0, 1]
    assert found.rejected.mask(3).tolist() == [[False, True, False], [False] * 3]
