"""The quick ways to make batches give what padding anew gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tagtower.towers import VideoFeatures, collate_texts, collate_videos
from tagtower.training.batches import CollatedVideos, TagBatches, TagFeatureCache, TitleVectors, video_batches
from tagtower.training.dataset import MemoryExamples

draw = np.random.default_rng(0)


def examples(features: list[VideoFeatures]) -> MemoryExamples:
    return MemoryExamples([()] * len(features), features)


def test_title_vectors_are_rows_of_one_matrix():
    features = [VideoFeatures(text=draw.normal(size=6).astype(np.float32)) for _ in range(5)]
    batches = video_batches(examples(features), ("text",))
    assert isinstance(batches, TitleVectors)
    rows = torch.tensor([3, 0, 3])
    found = batches(rows, torch.zeros(3, dtype=torch.int64))
    plain = collate_videos([features[row] for row in rows.tolist()], ("text",))
    assert torch.equal(found.text, plain.text)
    assert torch.equal(found.present, plain.present)
    assert found.text_mask is plain.text_mask is None


def test_everything_else_is_padded():
    tokens = [VideoFeatures(text=np.arange(length)) for length in (3, 5)]
    assert isinstance(video_batches(examples(tokens), ("text",)), CollatedVideos)
    vectors = [VideoFeatures(text=np.ones(4, np.float32)) for _ in range(2)]
    assert isinstance(video_batches(examples(vectors), ("audio", "text")), CollatedVideos)


def test_each_video_is_asked_for_its_draw():
    class Draws:
        def __len__(self) -> int:
            return 9

        def tags(self, index: int) -> tuple[str, ...]:
            return ()

        def rejected(self, index: int) -> tuple[str, ...]:
            return ()

        def title(self, index: int) -> str | None:
            return None

        def features(self, index: int, draw: int) -> VideoFeatures:
            return VideoFeatures(audio=np.full((1, 2), 10 * index + draw, np.float32))

    found = video_batches(Draws(), ("audio",))(torch.tensor([4, 2]), torch.tensor([1, 3]))
    assert found.audio[:, 0, 0].tolist() == [41, 23]


@pytest.mark.parametrize("tokens", [True, False])
def test_tags_are_taken_out_of_one_table(tokens):
    lengths = [2, 7, 3, 1]
    features = [
        np.arange(1, length + 1) if tokens else draw.normal(size=4).astype(np.float32) for length in lengths
    ]
    batches = TagBatches(features, torch.device("cpu"))
    for chosen in (torch.tensor([2, 0]), torch.tensor([1, 3, 3]), slice(1, 3)):
        plain = collate_texts([features[row] for row in torch.arange(4)[chosen].tolist()])
        found = batches(chosen)
        assert torch.equal(found.values, plain.values)
        assert (found.mask is None and plain.mask is None) or torch.equal(found.mask, plain.mask)
    assert len(batches) == 4


def test_features_of_a_tag_are_made_once():
    calls = []

    def make(texts):
        calls.append(list(texts))
        return [np.full(2, len(text), np.float32) for text in texts]

    cache = TagFeatureCache(make)
    assert [array[0] for array in cache(["a", "bbb", "a"])] == [1, 3, 1]
    assert [array[0] for array in cache(["cc", "bbb"])] == [2, 3]
    assert calls == [["a", "bbb"], ["cc"]]


def test_tags_of_several_wordings_stay_together_with_their_rows_of_memory():
    texts = [np.arange(2, 2 + length) for length in (3, 5, 2, 2, 4, 1)]
    known = torch.tensor([4, -1, 7])
    batches = TagBatches(texts, torch.device("cpu"), known, wordings=2)
    found = batches(torch.tensor([2, 0]))
    plain = collate_texts([texts[place] for place in (4, 5, 0, 1)], torch.tensor([7, 4]), wordings=2)
    assert len(found) == len(plain) == 2
    assert torch.equal(found.values, plain.values)
    assert torch.equal(found.mask, plain.mask)
    assert found.known.tolist() == plain.known.tolist()
    assert batches(slice(1, 3)).known.tolist() == [-1, 7]
    assert len(batches(slice(1, 3)).values) == 4
