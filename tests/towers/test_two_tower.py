from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tagtower.towers import DISTANCES, TwoTower, VideoBatch, VideoFeatures, collate_texts, collate_videos
from tagtower.towers.fusion import FUSIONS

from .conftest import TAGS, TITLES, random_video, tiny_tower


def only(video: VideoFeatures, *modalities: str) -> VideoFeatures:
    """The video with all but `modalities` missing."""
    return VideoFeatures(**{modality: getattr(video, modality) for modality in modalities})


def batch(tower: TwoTower, *videos: VideoFeatures) -> VideoBatch:
    return collate_videos(videos, tower.modalities)


def trained(**changes: dict[str, object]) -> TwoTower:
    """A tower that is no longer at its start: every weight is moved."""
    tower = tiny_tower(**changes)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in tower.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return tower


def test_vectors_experts_and_tags_have_length_one_under_cosine() -> None:
    tower = trained()
    video = random_video(tower)
    encoding = tower.encode_videos(batch(tower, video, only(video, "text")))
    tags = tower.encode_tags(collate_texts(tower.tag_features(TAGS)))
    torch.testing.assert_close(encoding.vectors.norm(dim=1), torch.ones(2))
    torch.testing.assert_close(encoding.experts.norm(dim=2), encoding.present.float())
    torch.testing.assert_close(tags.norm(dim=1), torch.ones(4))


def test_vectors_keep_their_length_under_euclidean() -> None:
    tower = trained(distance={"kind": "euclidean"})
    encoding = tower.encode_videos(batch(tower, random_video(tower)))
    assert not torch.allclose(encoding.vectors.norm(dim=1), torch.ones(1), atol=1e-2)
    expected = (encoding.weights[:, :, None] * encoding.experts).sum(1)
    torch.testing.assert_close(encoding.vectors, expected)


def test_weights_sum_to_one_over_what_is_present() -> None:
    tower = trained()
    video = random_video(tower)
    parts = [("image",), ("audio",), ("text",), ("image", "text"), ("image", "audio", "text")]
    encoding = tower.encode_videos(batch(tower, *(only(video, *part) for part in parts)))
    torch.testing.assert_close(encoding.weights.sum(1), torch.ones(5))
    assert torch.equal(encoding.weights > 0, encoding.present)


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("missing", ["image", "audio", "text"])
def test_a_missing_modality_never_leaks(missing: str, fusion: str) -> None:
    """Beside a video that has it, and with any values in its place, the answer for one that lacks it is the same."""
    tower = trained(fusion={"kind": fusion})
    whole = random_video(tower)
    lacking = only(whole, *(modality for modality in tower.modalities if modality != missing))
    both = batch(tower, lacking, random_video(tower, 1))
    values = getattr(both, missing).clone()
    values[0] = 7
    filled = replace(
        both, **{missing: values, f"{missing}_mask": torch.ones_like(getattr(both, f"{missing}_mask"))}
    )
    alone = tower.encode_videos(batch(tower, lacking))
    for other in (both, filled):
        encoding = tower.encode_videos(other)
        torch.testing.assert_close(encoding.vectors[:1], alone.vectors)
        torch.testing.assert_close(encoding.weights[:1], alone.weights)
        column = tower.modalities.index(missing)
        assert encoding.weights[0, column] == 0
        assert torch.equal(encoding.experts[0, column], torch.zeros(tower.width))


@pytest.mark.parametrize("missing", ["image", "audio", "text"])
def test_a_missing_modality_gets_no_gradient(missing: str) -> None:
    tower = trained().train()
    whole = random_video(tower)
    lacking = only(whole, *(modality for modality in tower.modalities if modality != missing))
    encoding = tower.encode_videos(batch(tower, lacking, lacking))
    (encoding.vectors.sum() + encoding.experts.square().sum()).backward()
    for name, parameter in tower.named_parameters():
        if name.startswith((f"{missing}.", f"heads.{missing}.")):
            assert parameter.grad is None or not parameter.grad.any(), name


def test_training_statistics_take_no_missing_videos_in() -> None:
    tower, alone = (trained(audio={"dropout": 0.0}).train() for _ in range(2))
    with_image, without = random_video(tower), only(random_video(tower, 1), "text")
    torch.manual_seed(2)
    tower.encode_videos(batch(tower, with_image, without, without))
    torch.manual_seed(2)
    alone.encode_videos(batch(alone, with_image))
    for (name, a), b in zip(tower.named_buffers(), dict(alone.named_buffers()).values(), strict=True):
        if name.startswith(("image.", "audio.")):
            torch.testing.assert_close(a, b, msg=name)


def test_longer_neighbours_change_nothing() -> None:
    tower = trained()
    short, long = random_video(tower, frames=2, steps=9), random_video(tower, 1, frames=6, steps=40)
    together = tower.encode_videos(batch(tower, short, long))
    torch.testing.assert_close(together.vectors[:1], tower.encode_videos(batch(tower, short)).vectors)


def test_a_model_of_one_modality_passes_it_through() -> None:
    tower = trained(image={"encoder": "none"}, audio={"frontend": "none"})
    encoding = tower.encode_videos(batch(tower, random_video(tower)))
    torch.testing.assert_close(encoding.vectors, encoding.experts[:, 0])
    assert encoding.weights.tolist() == [[1.0]]


def test_experts_learn_while_the_gate_does_not_listen_to_them() -> None:
    """Modality dropout hides an expert from the fusion, not from its own loss."""
    tower = tiny_tower(fusion={"modality_dropout": 0.9}).train()
    encoding = tower.encode_videos(batch(tower, random_video(tower), random_video(tower, 1)))
    assert (encoding.weights == 0).any()
    assert encoding.present.all()
    assert (encoding.experts.norm(dim=2) > 0).all()


def test_towers_learn_to_put_videos_at_their_tags() -> None:
    tower = tiny_tower().train()
    videos = batch(tower, *(random_video(tower, seed) for seed in range(4)))
    tags = collate_texts(tower.tag_features(TAGS))
    optimizer = torch.optim.AdamW(tower.parameter_groups(tower.settings.train), lr=3e-3)
    for group in optimizer.param_groups:
        group["lr"] = 3e-3
    for step in range(40):
        torch.manual_seed(step)
        distances = DISTANCES["cosine"](tower.encode_videos(videos).vectors, tower.encode_tags(tags))
        loss = F.cross_entropy(-distances / 0.1, torch.arange(4))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    tower.eval()
    distances = DISTANCES["cosine"](tower.encode_videos(videos).vectors, tower.encode_tags(tags))
    assert distances.argmin(1).tolist() == [0, 1, 2, 3]


def test_parameter_groups_hold_each_trained_parameter_once(bert_folder: Path) -> None:
    tower = tiny_tower(text={"encoder": str(bert_folder)}, train={"backbones": "finetune"})
    groups = tower.parameter_groups(tower.settings.train)
    found = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(found) == sorted({id(p) for p in tower.parameters() if p.requires_grad})
    backbone = {id(parameter) for parameter in tower.text.backbone.parameters()}
    for group in groups:
        ndims = {parameter.ndim > 1 for parameter in group["params"]}
        assert ndims == {group["weight_decay"] > 0}
        rate = tower.settings.train.backbone_learning_rate
        assert {id(parameter) in backbone for parameter in group["params"]} == {group["lr"] == rate}


def test_frozen_backbones_are_no_parameters_to_train(bert_folder: Path) -> None:
    tower = tiny_tower(text={"encoder": str(bert_folder)})
    found = {id(p) for group in tower.parameter_groups(tower.settings.train) for p in group["params"]}
    assert not found & {id(parameter) for parameter in tower.text.backbone.parameters()}


def test_specs_differ_by_part_and_not_by_trained_weights() -> None:
    tower, other = tiny_tower(train={"seed": 1}), tiny_tower(train={"seed": 2})
    specs = [tower.spec(part) for part in ("image", "audio", "text", "tag")]
    assert len(set(specs)) == 4
    assert specs == [other.spec(part) for part in ("image", "audio", "text", "tag")]


def test_moves_to_a_device_as_a_whole() -> None:
    tower = tiny_tower()
    videos = batch(tower, random_video(tower))
    device = "cuda" if torch.cuda.is_available() else "meta"
    tags = collate_texts(tower.tag_features(TAGS))
    moved = tower.to(device)
    assert {p.device.type for p in (*moved.parameters(), *moved.buffers())} == {device}
    assert moved.device.type == device
    if device == "cuda":
        assert moved.encode_tags(tags.to(device)).device.type == device
        assert moved.encode_videos(videos.to(device)).vectors.device.type == device


def test_half_precision_gives_single_precision_vectors() -> None:
    tower = trained()
    videos = batch(tower, random_video(tower), random_video(tower, 1))
    expected = tower.encode_videos(videos)
    with torch.autocast("cpu", torch.bfloat16):
        encoding = tower.encode_videos(videos)
        tags = tower.encode_tags(collate_texts(tower.tag_features(TAGS)))
    assert {encoding.vectors.dtype, encoding.weights.dtype, tags.dtype} == {torch.float32}
    assert F.cosine_similarity(encoding.vectors, expected.vectors).min() > 0.99


def test_untrained_towers_over_minilm_answer_as_minilm_does(minilm: str) -> None:
    tower = tiny_tower(
        image={"encoder": "none"},
        audio={"frontend": "none"},
        text={"encoder": minilm},
        tag={"max_tokens": 12},
    )
    titles, tags = tower.title_features(TITLES), tower.tag_features(TAGS)
    vectors = tower.encode_videos(batch(tower, *(VideoFeatures(text=title) for title in titles))).vectors
    distances = DISTANCES["cosine"](vectors, tower.encode_tags(collate_texts(tags)))
    pooled = [F.normalize(torch.tensor(np.stack(features)), dim=1) for features in (titles, tags)]
    torch.testing.assert_close(1 - distances, pooled[0] @ pooled[1].T, atol=1e-6, rtol=0)
    assert distances.argmin(1).tolist() == [0, 1, 2, 3]
