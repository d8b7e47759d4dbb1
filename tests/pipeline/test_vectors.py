"""Features to vectors: batches, masks, failures in their place, and tag vectors that no other model gets."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tagtower.library.tags import TagLibrary
from tagtower.pipeline.extract import Extracted, Failed, FeatureExtractor
from tagtower.pipeline.vectors import Embedded, TagVectors, embed_videos, encode_tags
from tagtower.records import Tag, Video
from tagtower.towers import build_two_tower, collate_videos


@pytest.fixture
def tower(towers):
    return towers["image audio text"]


@pytest.fixture
def extracted(job, tower, decoder, store):
    """Features of everything, of pictures alone, of sound alone, of a title alone, and two failures."""
    videos = [
        Video("all", str(job.clips["red-low"]), "a walk"),
        Video("gone", str(job.clips["missing"])),
        Video("green", str(job.clips["green"])),
        Video("low", str(job.clips["low"])),
        Video("nothing", None, None),
        Video("words", None, "music"),
    ]
    return list(FeatureExtractor(tower, tower.settings, decoder, store).extract(videos))


@pytest.mark.parametrize("batch_size", [1, 2, 3, 16])
def test_vectors_come_in_order_whatever_the_batch(tower, extracted, batch_size):
    found = list(embed_videos(tower, extracted, batch_size=batch_size))
    assert [one.video.id for one in found] == ["all", "gone", "green", "low", "nothing", "words"]
    assert [isinstance(one, Failed) for one in found] == [False, True, False, False, True, False]
    alone = [
        tower.encode_videos(collate_videos([one.features[0]], tower.modalities)).vectors[0].detach().numpy()
        for one in extracted
        if isinstance(one, Extracted)
    ]
    vectors = [one.vector for one in found if isinstance(one, Embedded)]
    np.testing.assert_allclose(vectors, alone, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_vector_is_out_as_soon_as_its_batch_is_full(tower, extracted):
    read = 0

    def counted():
        nonlocal read
        for one in extracted:
            read += 1
            yield one

    stream = embed_videos(tower, counted(), batch_size=1)
    next(stream)
    assert read == 1


def test_weights_sum_to_one_over_what_is_there(tower, extracted):
    for one in embed_videos(tower, extracted):
        if isinstance(one, Embedded):
            assert sum(one.weights.values()) == pytest.approx(1)
            absent = [name for name, there in zip(tower.modalities, one.present, strict=True) if not there]
            assert all(one.weights[name] == 0 for name in absent)
            assert not one.experts[~one.present].any()


def test_a_modality_that_is_not_asked_for_counts_as_missing(tower, extracted, job):
    found = {one.video.id: one for one in embed_videos(tower, extracted, modalities=("audio",))}
    assert found["all"].weights == {"image": 0, "audio": 1, "text": 0}
    assert found["all"].present.tolist() == [False, True, False]
    for name in ("green", "words"):
        assert isinstance(found[name], Failed)
        assert "none of the modalities asked for (audio)" in found[name].error.message
    assert isinstance(found["gone"], Failed)
    assert "does not exist" in found["gone"].error.message


def test_a_masked_modality_leaves_no_trace(tower, extracted):
    low = next(one for one in extracted if one.video.id == "low")
    everything = next(one for one in extracted if one.video.id == "all")
    (masked,) = embed_videos(tower, [everything], modalities=("audio",))
    (sound,) = embed_videos(tower, [low])
    np.testing.assert_allclose(masked.vector, sound.vector, atol=1e-5)  # both are the same pure tone


def counting(tower, monkeypatch):
    """The tag texts that the tower reads from now on."""
    read: list[str] = []
    original = tower.tag_features

    def features(texts):
        read.extend(texts)
        return original(texts)

    monkeypatch.setattr(tower, "tag_features", features)
    return read


def test_tags_come_in_order_and_each_text_is_encoded_once(tower, store, monkeypatch):
    read = counting(tower, monkeypatch)
    tags = TagVectors(tower, "model-a", store)
    vectors = tags.encode(["red", "low", "red"])
    assert read == ["red", "low"]
    np.testing.assert_array_equal(vectors[0], vectors[2])
    np.testing.assert_allclose(vectors[:2], encode_tags(tower, ["red", "low"]), atol=1e-6)
    read.clear()
    tags.encode(["high", "low", "red"])
    assert read == ["high"]
    assert tags.encode([]).shape == (0, tower.width)


def test_tag_vectors_are_kept_for_the_next_call_with_the_same_model(tower, store, monkeypatch):
    first = TagVectors(tower, "model-a", store).encode(["red", "low"])
    read = counting(tower, monkeypatch)
    again = TagVectors(tower, "model-a", store).encode(["low", "red"])
    assert read == []
    np.testing.assert_array_equal(again, first[::-1])


def test_tag_vectors_of_another_model_are_never_returned(job, tower, store):
    other = build_two_tower(job.settings("train.seed=1"), ["a walk"], ["red"]).eval()
    mine = TagVectors(tower, "model-a", store).encode(["red"])
    theirs = TagVectors(other, "model-b", store).encode(["red"])
    np.testing.assert_array_equal(theirs, encode_tags(other, ["red"]))
    assert np.abs(mine - theirs).max() > 0.01


def test_a_remembered_tag_is_found_however_it_is_spelled(job, store):
    tower = build_two_tower(job.settings("tag.memory=true"), ["a walk"], ["red", "low"]).eval()
    plain = encode_tags(tower, ["Red", "low"])
    tower.memory.grow(["red"])
    torch.nn.init.ones_(tower.memory.vectors)
    found = TagVectors(tower, "model-c", store).encode(["Red", "low"])
    assert np.abs(found[0] - plain[0]).max() > 0.01
    np.testing.assert_allclose(found[1], plain[1], atol=1e-6)


LIBRARY = TagLibrary.from_tags(
    [Tag("red", aliases=("crimson", "scarlet")), Tag("low"), Tag("high", description="a shrill tone")]
)


def distances(tower, store, **settings):
    """How far each tag of LIBRARY is from the vectors of `scarlet` and of the description of `high`."""
    changed = tower.settings.tag.model_copy(update=settings)
    tower.settings = tower.settings.model_copy(update={"tag": changed})
    tags = TagVectors(tower, f"model {settings}", store)
    queries = encode_tags(tower, ["scarlet", "high: a shrill tone"], ["red", "high"])
    return tags.index(LIBRARY).distances(queries)


@pytest.fixture
def namer(job):
    """A model whose settings a test may change."""
    return build_two_tower(job.settings("tag.memory=true"), ["a walk"], ["red", "low", "crimson"]).eval()


def test_a_tag_is_as_near_as_its_nearest_alias_or_description(namer, store):
    near = distances(namer, store, aliases="nearest", descriptions="nearest")
    assert near.shape == (2, 3)
    assert near[0, 0] == pytest.approx(0, abs=1e-6)
    assert near[1, 2] == pytest.approx(0, abs=1e-6)
    plain = distances(namer, store, aliases="off", descriptions="off")
    assert plain[0, 0] > 1e-3
    assert plain[1, 2] > 1e-3
    np.testing.assert_allclose(near[:, 1], plain[:, 1], atol=1e-6)


def test_a_wording_has_the_memory_of_its_tag(namer, store):
    namer.memory.grow(["red"])
    alone = encode_tags(namer, ["scarlet"], ["red"])
    torch.nn.init.constant_(namer.memory.vectors, 0.5)
    assert np.abs(encode_tags(namer, ["scarlet"], ["red"]) - alone).max() > 0.01
    np.testing.assert_allclose(encode_tags(namer, ["scarlet"]), alone, atol=1e-6)
    tags = TagVectors(namer, "model-d", store)
    tags.encode(["scarlet"])  # stored as a tag of its own, and not to be taken for the alias
    found = tags.index(LIBRARY).distances(encode_tags(namer, ["scarlet"], ["red"]))
    assert found[0, 0] == pytest.approx(0, abs=1e-6)


def test_templates_are_averaged_and_brought_back_to_length_one(job):
    plain = build_two_tower(job.settings(), ["a walk"], ["red"]).eval()
    settings = job.settings('tag.templates=["a video of {}", "{}, as it is"]')
    tower = build_two_tower(settings, ["a walk"], ["red"]).eval()
    found = encode_tags(tower, ["red", "{}"])
    for row, tag in enumerate(["red", "{}"]):
        apart = encode_tags(plain, [f"a video of {tag}", f"{tag}, as it is"])
        mean = apart.mean(0)
        np.testing.assert_allclose(found[row], mean / np.linalg.norm(mean), atol=1e-6)


def test_more_tags_than_a_batch_holds(tower, store):
    texts = [f"tag {number}" for number in range(300)]
    vectors = TagVectors(tower, "model-a", store).encode(texts)
    assert vectors.shape == (300, tower.width)
    np.testing.assert_allclose(vectors[299], encode_tags(tower, ["tag 299"])[0], atol=1e-6)
