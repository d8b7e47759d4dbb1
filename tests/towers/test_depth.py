"""Deeper layers of a backbone learn more slowly; some may stay as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import BertConfig, BertModel, ResNetConfig, ResNetModel

from tagtower.errors import ConfigError
from tagtower.towers.depth import layer_depths

from .conftest import tiny_settings, tiny_tower


def depths(model) -> dict[str, int]:
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {names[id(parameter)]: depth for parameter, depth in layer_depths(model)}


def test_layers_of_a_bert_count_from_the_top() -> None:
    model = BertModel(BertConfig(hidden_size=8, num_hidden_layers=3, num_attention_heads=2, vocab_size=20))
    for name, depth in depths(model).items():
        if name.startswith("encoder.layer."):
            assert depth == 2 - int(name.split(".")[2])
        else:
            assert depth == (3 if name.startswith("embeddings.") else 0)


def test_stages_of_a_resnet_count_from_the_top() -> None:
    model = ResNetModel(ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[2, 1]))
    found = depths(model)
    assert {found[name] for name in found if ".stages.1." in name} == {0}
    assert {found[name] for name in found if ".stages.0." in name} == {1}
    assert {found[name] for name in found if name.startswith("embedder.")} == {2}


def test_each_layer_learns_at_a_share_of_the_rate_above_it(bert_folder: Path) -> None:
    train = {"backbones": "finetune", "backbone_learning_rate": 1e-4, "layer_decay": 0.5}
    tower = tiny_tower(text={"encoder": str(bert_folder)}, train=train)
    rates = {
        id(parameter): group["lr"]
        for group in tower.parameter_groups(tower.settings.train)
        for parameter in group["params"]
    }
    for name, parameter in tower.text.backbone.model.named_parameters():
        expected = 1e-4 if ".layer.1." in name else 5e-5 if ".layer.0." in name else 2.5e-5
        assert rates[id(parameter)] == pytest.approx(expected), name


def test_titles_may_be_finetuned_while_tags_stay_frozen(bert_folder: Path) -> None:
    tower = tiny_tower(
        image={"encoder": "none"},
        audio={"frontend": "none"},
        text={"encoder": str(bert_folder)},
        tag={"encoder": str(bert_folder)},
        train={"backbones": "finetune", "finetune": ["text"], "finetune_embeddings": False},
    )
    assert (tower.text_is_frozen, tower.tag_is_frozen) == (False, True)
    trained = {name for name, parameter in tower.named_parameters() if parameter.requires_grad}
    assert not any(name.startswith("tag.backbone.") for name in trained)
    assert "text.backbone.model.embeddings.word_embeddings.weight" not in trained
    assert "text.backbone.model.encoder.layer.0.output.dense.weight" in trained


def test_one_shared_network_is_not_both_trained_and_frozen(bert_folder: Path) -> None:
    with pytest.raises(ConfigError, match="tag.encoder is `shared`"):
        tiny_settings(
            text={"encoder": str(bert_folder)}, train={"backbones": "finetune", "finetune": ["text"]}
        )
