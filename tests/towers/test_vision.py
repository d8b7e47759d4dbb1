from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModel,
    ConvNextConfig,
    ConvNextModel,
    MobileNetV2Config,
    MobileNetV2Model,
    ResNetConfig,
    ResNetModel,
    SiglipVisionConfig,
    SiglipVisionModel,
    ViTConfig,
    ViTModel,
)

from tagtower.config import ImageSettings
from tagtower.errors import ConfigError, ModelError
from tagtower.features.descriptors import DESCRIPTORS
from tagtower.towers.vision import Descriptors, PixelScale, blank_vision, pretrained_vision, scratch_vision

from .conftest import VISION_PARTS


def test_small_pictures_get_a_stem_that_keeps_more_of_them() -> None:
    small = scratch_vision(ImageSettings(depths=(1,), widths=(8,), crop=64, resize=64))
    large = scratch_vision(ImageSettings(depths=(1,), widths=(8,), crop=128, resize=128))
    assert small.model.embedder.embedder.convolution.kernel_size == (3, 3)
    assert large.model.embedder.embedder.convolution.kernel_size == (7, 7)
    assert small.width == large.width == 8


def test_pixel_scale_is_that_of_the_preprocessor(resnet_folder: Path) -> None:
    assert pretrained_vision(resnet_folder, 32).pixels == PixelScale((0.5, 0.4, 0.3), (0.2, 0.2, 0.1))


def test_pixel_scale_without_a_preprocessor_is_imagenets(tmp_path: Path) -> None:
    assert PixelScale.read(tmp_path) == PixelScale((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_pixel_scale_may_stand_in_the_processor_of_a_dual_network(tmp_path: Path) -> None:
    (tmp_path / "processor_config.json").write_text(
        '{"image_processor": {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.2, 0.1]}}'
    )
    assert PixelScale.read(tmp_path) == PixelScale((0.5, 0.4, 0.3), (0.2, 0.2, 0.1))


def test_a_preprocessor_that_does_not_normalise_is_believed(tmp_path: Path) -> None:
    (tmp_path / "preprocessor_config.json").write_text('{"do_normalize": false, "image_mean": [9, 9, 9]}')
    assert PixelScale.read(tmp_path) == PixelScale((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def test_a_vision_transformer_gives_its_cls_token(tmp_path: Path) -> None:
    torch.manual_seed(0)
    ViTModel(ViTConfig(**VISION_PARTS), add_pooling_layer=False).save_pretrained(tmp_path)
    backbone = pretrained_vision(tmp_path, 32).eval()
    pixels = torch.randn(2, 3, 32, 32)
    expected = backbone.model(pixels).last_hidden_state[:, 0]
    torch.testing.assert_close(backbone(pixels), expected)
    assert backbone.width == 16


NETWORKS: dict[str, tuple[type, type, dict[str, Any]]] = {
    "resnet": (ResNetConfig, ResNetModel, {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]}),
    "mobilenet": (MobileNetV2Config, MobileNetV2Model, {"depth_multiplier": 0.1, "image_size": 32}),
    "convnext": (ConvNextConfig, ConvNextModel, {"hidden_sizes": [8, 12, 16, 20], "depths": [1, 1, 1, 1]}),
    "clip": (CLIPVisionConfig, CLIPVisionModel, VISION_PARTS),
    "siglip": (SiglipVisionConfig, SiglipVisionModel, VISION_PARTS),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_gives_what_it_pools_and_is_rebuilt_from_its_configuration(
    name: str, tmp_path: Path
) -> None:
    config, network, parts = NETWORKS[name]
    torch.manual_seed(0)
    model = network(config(**parts)).eval()
    model.save_pretrained(tmp_path)
    backbone = pretrained_vision(tmp_path, 32).eval()
    pixels = torch.randn(2, 3, 32, 32)
    expected = model(pixels).pooler_output.flatten(1)
    torch.testing.assert_close(backbone(pixels), expected)
    assert backbone.width == expected.shape[1]
    again = blank_vision(tmp_path, 32)
    again.load_state_dict(backbone.state_dict())
    assert torch.equal(again.eval()(pixels), backbone(pixels))


@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_of_a_two_sided_model_the_picture_side_is_taken_and_rebuilt(
    name: str, dual_folders: dict[str, Path], tmp_path: Path
) -> None:
    backbone = pretrained_vision(dual_folders[name], 32)
    assert not any("text" in name for name, _ in backbone.named_parameters())
    backbone.model.config.save_pretrained(tmp_path)
    again = blank_vision(tmp_path, 32)
    again.load_state_dict(backbone.state_dict())
    pixels = torch.randn(1, 3, 32, 32)
    assert torch.equal(again.eval()(pixels), backbone.eval()(pixels))


def test_a_crop_that_the_backbone_does_not_take_is_a_setting_to_change(tmp_path: Path) -> None:
    ViTModel(ViTConfig(**VISION_PARTS)).save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="image.crop = 64"):
        pretrained_vision(tmp_path, 64)


def test_weights_that_are_missing_are_not_replaced_by_random_ones(
    resnet_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text((resnet_folder / "config.json").read_text())
    weights = load_file(resnet_folder / "model.safetensors")
    weights.pop("encoder.stages.1.layers.0.layer.0.convolution.weight")
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match="lack 1 tensors, encoder.stages.1"):
        pretrained_vision(tmp_path, 32)


@pytest.mark.bench_data
@pytest.mark.parametrize(("name", "width"), [("resnet-18", 512), ("mobilenet-v2", 1280)])
def test_real_vision_models_see_a_difference(bench_data: Path, name: str, width: int) -> None:
    backbone = pretrained_vision(bench_data / "models" / name, 224).eval()
    assert backbone.width == width
    with torch.inference_mode():
        dark, light = backbone(torch.stack([torch.zeros(3, 224, 224), torch.ones(3, 224, 224)]))
    assert not torch.allclose(dark, light, atol=1e-3)


def test_descriptors_stand_side_by_side() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    both = Descriptors(("color", "texture"))
    found = both.look(torch.from_numpy(frames), [2]).numpy()
    assert found.shape == (2, both.width)
    for row, frame in zip(found, frames, strict=True):
        expected = [DESCRIPTORS["color"].describe(frame), DESCRIPTORS["texture"].describe(frame)]
        np.testing.assert_array_equal(row, np.concatenate(expected))


def test_descriptors_say_which_they_are_and_with_which_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Descriptors(("color",)).spec()
    assert Descriptors(("color", "shape")).spec() != before
    monkeypatch.setitem(DESCRIPTORS["color"].parameters, "version", 99)
    assert Descriptors(("color",)).spec() != before
