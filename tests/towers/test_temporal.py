from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import ResNetConfig, ResNetModel, ViTConfig, ViTModel

from tagtower.errors import ConfigError
from tagtower.towers.temporal import shift_channels
from tagtower.towers.vision import pretrained_vision

from .conftest import VISION_PARTS


def shifted_one_by_one(features: np.ndarray, clips: list[int]) -> np.ndarray:
    """The slow obvious shift: channel by channel, frame by frame."""
    part = features.shape[1] // 8
    out, start = features.copy(), 0
    for length in clips:
        for frame in range(length):
            for channel in range(part):
                before, after = start + frame - 1, start + frame + 1
                out[start + frame, channel] = features[before, channel] if frame > 0 else 0
                other = part + channel
                out[start + frame, other] = features[after, other] if frame < length - 1 else 0
        start += length
    return out


@pytest.mark.parametrize("clips", [[5], [1], [2, 3], [1, 4, 1]])
@pytest.mark.parametrize("channels", [8, 16, 20])
def test_the_shift_is_that_of_the_slow_loop(clips: list[int], channels: int) -> None:
    features = np.random.default_rng(0).normal(size=(sum(clips), channels, 2, 3)).astype(np.float32)
    found = shift_channels(torch.from_numpy(features), clips)
    np.testing.assert_array_equal(found.numpy(), shifted_one_by_one(features, clips))


@pytest.mark.parametrize("layer_type", ["basic", "bottleneck"])
def test_the_residual_branch_is_shifted_and_the_shortcut_is_not(layer_type: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = ResNetConfig(embedding_size=8, hidden_sizes=[16, 32], depths=[2, 1], layer_type=layer_type)
    model = ResNetModel(config).eval()
    model.save_pretrained(tmp_path)
    pixels, clips = torch.randn(5, 3, 32, 32), [2, 3]
    hidden = model.embedder(pixels)
    for stage in model.encoder.stages:
        for block in stage.layers:
            inside = torch.from_numpy(shifted_one_by_one(hidden.detach().numpy(), clips))
            hidden = block.activation(block.layer(inside) + block.shortcut(hidden))
    found = pretrained_vision(tmp_path, 32, shift=True).eval()(pixels, clips)
    torch.testing.assert_close(found, model.pooler(hidden).flatten(1), atol=1e-5, rtol=1e-4)


def test_weights_keep_their_names(resnet_folder: Path) -> None:
    plain, shifted = (pretrained_vision(resnet_folder, 32, shift=shift) for shift in (False, True))
    assert plain.state_dict().keys() == shifted.state_dict().keys()


def test_a_copy_shifts_by_its_own_clips(resnet_folder: Path) -> None:
    first = pretrained_vision(resnet_folder, 32, shift=True).eval()
    second = copy.deepcopy(first)
    pixels = torch.randn(4, 3, 32, 32)
    expected = first(pixels, [4])
    first(pixels, [2, 2])
    torch.testing.assert_close(second(pixels, [4]), expected)


def test_other_networks_are_refused(tmp_path: Path) -> None:
    ViTModel(ViTConfig(**VISION_PARTS)).save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="is a vit"):
        pretrained_vision(tmp_path, 32, shift=True)
