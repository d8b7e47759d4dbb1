"""Vectors come in order, whatever the batches, without dropout, and leave the model in the mode it was in."""

from __future__ import annotations

import pytest
import torch

from tagtower.training.batches import TagBatches, video_batches
from tagtower.training.encode import Encoder
from tagtower.training.precision import Precision


def encoder(tower, batch_size: int, pause=lambda: None) -> Encoder:
    return Encoder(tower, Precision.choose("fp32", tower.device), batch_size, pause)


@pytest.mark.parametrize("mode", [True, False])
def test_batches_do_not_matter_and_the_mode_is_kept(problem, mode):
    ready = problem(text={"dropout": 0.5})
    tower = ready.tower().train(mode)
    batches = video_batches(ready.data.val, tower.modalities)
    rows = torch.tensor([5, 2, 40, 2, 11])
    whole, parts = (encoder(tower, size).videos(batches, rows) for size in (100, 2))
    assert torch.allclose(whole.vectors, parts.vectors, atol=1e-6)
    assert torch.equal(whole.vectors[1], whole.vectors[3])
    assert not whole.vectors.requires_grad
    assert tower.training is mode


def test_all_tags_in_library_order(problem):
    ready = problem()
    tower = ready.tower()
    features = ready.tag_features(ready.library.texts)
    vectors = encoder(tower, 8).tags(TagBatches(features, tower.device))
    alone = encoder(tower, 8).tags(TagBatches(features[7:8], tower.device))
    assert vectors.shape == (40, tower.width)
    assert torch.allclose(vectors[7], alone[0], atol=1e-6)


def test_it_can_be_stopped_between_batches(problem):
    class Enough(Exception):  # noqa: N818
        pass

    def pause() -> None:
        raise Enough

    ready = problem()
    tower = ready.tower().train()
    with pytest.raises(Enough):
        encoder(tower, 8, pause).videos(video_batches(ready.data.val, tower.modalities), torch.arange(20))
    assert tower.training
