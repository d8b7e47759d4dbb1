from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tagtower.config import load_settings
from tagtower.errors import ConfigError
from tagtower.towers import build_two_tower, collate_texts

from .conftest import TAGS, TITLES, tiny_settings, tiny_tower


def weights(seed: int) -> dict[str, torch.Tensor]:
    return tiny_tower(train={"seed": seed}).state_dict()


def test_one_seed_gives_one_model_and_another_seed_another() -> None:
    first, again, other = weights(1), weights(1), weights(2)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_building_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    tiny_tower()
    assert torch.equal(torch.rand(3), expected)


def test_width_is_that_of_the_tag_backbone_unless_set() -> None:
    assert tiny_tower().width == 16
    assert tiny_tower(fusion={"width": 10}).width == 10


@pytest.mark.parametrize(
    ("off", "left"),
    [
        ({"image": {"encoder": "none"}}, ("audio", "text")),
        ({"audio": {"frontend": "none"}}, ("image", "text")),
        ({"text": {"encoder": "none"}, "tag": {"encoder": "bert"}}, ("image", "audio")),
    ],
)
def test_a_modality_that_is_off_is_not_built(off: dict[str, dict[str, str]], left: tuple[str, ...]) -> None:
    assert tiny_tower(**off).modalities == left


def test_sound_can_be_switched_off_like_the_others() -> None:
    assert tiny_tower(audio={"encoder": "none"}).modalities == ("image", "text")


def test_shared_tags_need_titles() -> None:
    with pytest.raises(ConfigError, match="there is nothing to share"):
        tiny_settings(text={"encoder": "none"}, tag={"encoder": "shared"})


def test_shared_tags_and_titles_use_one_backbone_and_two_heads() -> None:
    tower = tiny_tower(tag={"encoder": "shared"})
    assert tower.tag.backbone is tower.text.backbone
    assert tower.tag_head is not tower.heads["text"]
    own = tiny_tower(tag={"encoder": "bert"})
    assert own.tag.backbone is not own.text.backbone


def test_training_titles_moves_shared_tags() -> None:
    tower = tiny_tower(tag={"encoder": "shared"})
    before = tower.encode_tags(collate_texts(tower.tag_features(["red fox"])))
    with torch.no_grad():
        for parameter in tower.text.backbone.parameters():
            parameter.mul_(1.5)
    assert not torch.equal(tower.encode_tags(collate_texts(tower.tag_features(["red fox"]))), before)


def test_a_shared_backbone_reads_the_longer_of_titles_and_tags() -> None:
    tower = tiny_tower(text={"max_tokens": 4}, tag={"encoder": "shared", "max_tokens": 30})
    tags = tower.tag_features(["fox " * 40])
    assert len(tags[0]) == 30
    assert tower.encode_tags(collate_texts(tags)).isfinite().all()


def test_the_vocabulary_covers_tags_and_titles() -> None:
    tower = tiny_tower()
    for encoder in (tower.text, tower.tag):
        (ids,) = encoder.features([f"{TITLES[0]} {TAGS[1]}"])
        assert encoder.backbone.tokenizer.unk_token_id not in ids


@pytest.mark.parametrize(
    ("backbones", "frozen"), [("frozen", (True, True, True)), ("finetune", (False, False, False))]
)
def test_pretrained_backbones_are_frozen_unless_finetuned(
    resnet_folder: Path, bert_folder: Path, backbones: str, frozen: tuple[bool, ...]
) -> None:
    tower = tiny_tower(
        image={"encoder": str(resnet_folder)},
        text={"encoder": str(bert_folder)},
        train={"backbones": backbones},
    )
    assert (tower.image_is_frozen, tower.text_is_frozen, tower.tag_is_frozen) == frozen


def test_what_starts_from_scratch_is_trained_beside_frozen_backbones(resnet_folder: Path) -> None:
    tower = tiny_tower(image={"encoder": str(resnet_folder)})
    assert (tower.image_is_frozen, tower.text_is_frozen, tower.tag_is_frozen) == (True, False, False)


@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_ernie_reads_titles_and_tags(ernie_folder: Path, pool: str) -> None:
    tower = tiny_tower(text={"encoder": str(ernie_folder), "pool": pool}, tag={"pool": pool})
    vectors = tower.encode_tags(collate_texts(tower.tag_features(TAGS)))
    assert vectors.shape == (4, 16)
    assert tower.text_is_frozen


def test_tiny_preset_is_built_without_any_download() -> None:
    tower = build_two_tower(load_settings("tiny"), TITLES, TAGS)
    assert tower.modalities == ("image", "audio", "text")
    assert tower.width == 128
