"""Towers over the two sides of one network, before any training, against the network's own answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from tagtower.features.pixels import normalize
from tagtower.towers import TwoTower, VideoFeatures, collate_texts, collate_videos, load_model, save_model
from tagtower.towers.distances import cosine
from tagtower.towers.vision import PixelScale

from .conftest import TAGS, TITLES, tiny_tower

FAMILIES = ("clip", "siglip")


def dual_tower(folder: Path, **image: object) -> TwoTower:
    return tiny_tower(
        image={"encoder": str(folder), "join": "mean", **image},
        audio={"frontend": "none"},
        text={"encoder": "none"},
        tag={"encoder": str(folder), "max_tokens": 16},
    )


def pictures(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def distances(tower: TwoTower, frames: np.ndarray) -> torch.Tensor:
    video = VideoFeatures(image=tower.frame_features(frames))
    with torch.inference_mode():
        vectors = tower.encode_videos(collate_videos([video], tower.modalities)).vectors
        return cosine(vectors, tower.encode_tags(collate_texts(tower.tag_features(TAGS))))[0]


def own_vectors(folder: Path, frames: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Picture and text vectors at length one, as the network and its tokenizer give them by themselves."""
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    full = model.config.model_type == "siglip"
    padding = {"padding": "max_length", "max_length": 20} if full else {"padding": True}
    words = tokenizer(TAGS, return_tensors="pt", **padding)
    inputs = {"input_ids": words["input_ids"]} | ({} if full else {"attention_mask": words["attention_mask"]})
    scale = PixelScale()
    with torch.inference_mode():
        out = model(pixel_values=normalize(torch.from_numpy(frames), scale.mean, scale.std), **inputs)
    return out.image_embeds, out.text_embeds


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("frames", [1, 3])
def test_untrained_towers_answer_as_the_network_does(
    family: str, frames: int, dual_folders: dict[str, Path]
) -> None:
    shown = pictures(frames)
    images, texts = own_vectors(dual_folders[family], shown)
    expected = 1 - torch.nn.functional.cosine_similarity(images.mean(0, keepdim=True), texts)
    found = distances(dual_tower(dual_folders[family]), shown)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert expected.max() - expected.min() > 1e-2


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("join", ["attention", "gru"])
def test_joins_that_start_as_the_mean_leave_the_answer_alone(
    family: str, join: str, dual_folders: dict[str, Path]
) -> None:
    shown = pictures(3)
    plain, other = (distances(dual_tower(dual_folders[family], join=one), shown) for one in ("mean", join))
    torch.testing.assert_close(other, plain, atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_training_mode_turns_no_angle(family: str, dual_folders: dict[str, Path]) -> None:
    tower = dual_tower(dual_folders[family], dropout=0.0)
    before = distances(tower, pictures(2))
    torch.testing.assert_close(distances(tower.train(), pictures(2)), before, atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_titles_and_tags_may_share_the_text_side(family: str, dual_folders: dict[str, Path]) -> None:
    folder = str(dual_folders[family])
    tower = tiny_tower(
        image={"encoder": folder},
        audio={"frontend": "none"},
        text={"encoder": folder},
        tag={"encoder": "shared", "max_tokens": 12},
    )
    titles = tower.title_features(TITLES)
    tags = tower.tag_features(TITLES)
    np.testing.assert_array_equal(np.stack(titles), np.stack(tags))
    assert tower.width == tower.image.width == tower.text.width


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("backbones", ["frozen", "finetune"])
def test_a_model_of_two_sides_is_rebuilt_to_the_bit(
    family: str, backbones: str, dual_folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = str(dual_folders[family])
    tower = tiny_tower(
        image={"encoder": folder},
        audio={"frontend": "none"},
        text={"encoder": "none"},
        tag={"encoder": folder, "max_tokens": 16},
        train={"backbones": backbones},
    )
    save_model(tmp_path / "model", tower, TAGS, {}, "# A card")
    loaded = load_model(tmp_path / "model").tower
    assert torch.equal(distances(loaded, pictures(2)), distances(tower, pictures(2)))
    assert loaded.spec("image") == tower.spec("image")
    assert loaded.spec("tag") == tower.spec("tag")


def test_a_picture_side_beside_another_tag_tower_is_centred(
    dual_folders: dict[str, Path], bert_folder: Path
) -> None:
    tower = tiny_tower(image={"encoder": str(dual_folders["clip"])}, tag={"encoder": str(bert_folder)})
    assert any("image.norm" in name for name, _ in tower.named_buffers())
