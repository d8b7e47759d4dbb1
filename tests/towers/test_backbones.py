from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import CLIPConfig, CLIPModel, ViTConfig, ViTModel

from tagtower.config import ImageSettings, TextSettings
from tagtower.errors import ConfigError, ModelError
from tagtower.features.text import load_tokenizer, tokenize
from tagtower.towers.backbones import (
    PixelScale,
    blank_vision,
    pretrained_text,
    pretrained_vision,
    scratch_text,
    scratch_vision,
)
from tagtower.towers.inputs import collate_texts


def vision_parts() -> dict[str, int]:
    return {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "image_size": 32,
        "patch_size": 8,
    }


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


def test_a_preprocessor_that_does_not_normalise_is_believed(tmp_path: Path) -> None:
    (tmp_path / "preprocessor_config.json").write_text('{"do_normalize": false, "image_mean": [9, 9, 9]}')
    assert PixelScale.read(tmp_path) == PixelScale((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def test_a_vision_transformer_gives_its_cls_token(tmp_path: Path) -> None:
    torch.manual_seed(0)
    ViTModel(ViTConfig(**vision_parts()), add_pooling_layer=False).save_pretrained(tmp_path)
    backbone = pretrained_vision(tmp_path, 32).eval()
    pixels = torch.randn(2, 3, 32, 32)
    expected = backbone.model(pixels).last_hidden_state[:, 0]
    torch.testing.assert_close(backbone(pixels), expected)
    assert backbone.width == 16


def test_of_a_two_sided_model_the_picture_side_is_taken_and_rebuilt(tmp_path: Path) -> None:
    torch.manual_seed(0)
    text = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 50}
    CLIPModel(CLIPConfig(vision_config=vision_parts(), text_config=text)).save_pretrained(tmp_path / "clip")
    backbone = pretrained_vision(tmp_path / "clip", 32)
    assert not any("text" in name for name, _ in backbone.named_parameters())
    backbone.model.config.save_pretrained(tmp_path / "side")
    again = blank_vision(tmp_path / "side", 32)
    again.load_state_dict(backbone.state_dict())
    pixels = torch.randn(1, 3, 32, 32)
    assert torch.equal(again.eval()(pixels), backbone.eval()(pixels))


def test_a_crop_that_the_backbone_does_not_take_is_a_setting_to_change(tmp_path: Path) -> None:
    ViTModel(ViTConfig(**vision_parts())).save_pretrained(tmp_path)
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


def test_a_folder_that_is_damaged_is_named(bert_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text((bert_folder / "config.json").read_text())
    (tmp_path / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ModelError, match=str(tmp_path)):
        pretrained_text(tmp_path, load_tokenizer(bert_folder), 12)


def test_an_unknown_architecture_is_named(bert_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "no-such-thing"}))
    (tmp_path / "model.safetensors").write_bytes((bert_folder / "model.safetensors").read_bytes())
    with pytest.raises(ModelError, match="no-such-thing"):
        pretrained_text(tmp_path, load_tokenizer(bert_folder), 12)


def test_more_tokens_than_the_encoder_reads_are_refused(bert_folder: Path) -> None:
    with pytest.raises(ConfigError, match="at most 40 tokens"):
        pretrained_text(bert_folder, load_tokenizer(bert_folder), 41)


@pytest.mark.parametrize("pool", ["cls", "mean"])
@pytest.mark.parametrize("kind", ["bert", "ernie", "scratch"])
def test_padding_of_tokens_never_leaks(kind: str, pool: str, bert_folder: Path, ernie_folder: Path) -> None:
    tokenizer = load_tokenizer(bert_folder)
    if kind == "scratch":
        backbone = scratch_text(TextSettings(width=16, heads=2, layers=1), tokenizer, 12).eval()
    else:
        backbone = pretrained_text({"bert": bert_folder, "ernie": ernie_folder}[kind], tokenizer, 12).eval()
    short, long = tokenize(tokenizer, ["red fox", "the blue sea at night"], 12)
    assert len(short) < len(long)
    together, alone = collate_texts([short, long]), collate_texts([short])
    both = backbone(together.values, together.mask, pool)
    torch.testing.assert_close(both[:1], backbone(alone.values, alone.mask, pool))
    other = together.values.clone()
    other[0, len(short) :] = 7
    torch.testing.assert_close(backbone(other, together.mask, pool), both)


def test_cls_is_the_first_token_and_mean_is_over_all(bert_folder: Path) -> None:
    tokenizer = load_tokenizer(bert_folder)
    backbone = pretrained_text(bert_folder, tokenizer, 12).eval()
    batch = collate_texts(tokenize(tokenizer, ["red fox"], 12))
    last = backbone.model(input_ids=batch.values).last_hidden_state
    torch.testing.assert_close(backbone(batch.values, batch.mask, "cls"), last[:, 0])
    torch.testing.assert_close(backbone(batch.values, batch.mask, "mean"), last.mean(1))


@pytest.mark.bench_data
@pytest.mark.parametrize(("name", "width"), [("resnet-18", 512), ("mobilenet-v2", 1280)])
def test_real_vision_models_see_a_difference(bench_data: Path, name: str, width: int) -> None:
    backbone = pretrained_vision(bench_data / "models" / name, 224).eval()
    assert backbone.width == width
    with torch.inference_mode():
        dark, light = backbone(torch.stack([torch.zeros(3, 224, 224), torch.ones(3, 224, 224)]))
    assert not torch.allclose(dark, light, atol=1e-3)
