"""Pretrained sound networks against their own answers; what cannot be heard is refused with what to do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers import (
    AutoFeatureExtractor,
    AutoModel,
    EncodecFeatureExtractor,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Processor,
)

from tagtower.config import AudioSettings
from tagtower.errors import ConfigError, ModelError
from tagtower.towers.audio.backbone import SoundBackbone, blank_sound, pretrained_sound

FAMILIES = ("wav2vec2", "hubert", "wavlm", "ast", "whisper", "clap", "fusing clap")


def rate(family: str) -> int:
    return 48_000 if "clap" in family else 16_000


def backbone(folder: Path, family: str = "", **changes: Any) -> SoundBackbone:
    settings = AudioSettings(**{"sample_rate": rate(family), "window_seconds": 1.0, **changes})
    return pretrained_sound(folder, settings).eval()


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


def own_answer(folder: Path, family: str, waveform: np.ndarray) -> torch.Tensor:
    """What the network says by itself, by way of its documented calls."""
    model = AutoModel.from_pretrained(folder).eval()
    extractor = AutoFeatureExtractor.from_pretrained(folder)
    inputs = extractor(waveform, sampling_rate=rate(family), return_tensors="pt")
    with torch.inference_mode():
        if "clap" in family:
            given = {"input_features": inputs["input_features"], "is_longer": torch.tensor([[False]])}
            return model.get_audio_features(**given).pooler_output[0]
        if family == "whisper":
            steps = model.get_encoder()(inputs["input_features"]).last_hidden_state[0]
            return steps[: -(-len(waveform) // 320)].mean(0)  # a step stands for 20 ms
        out = model(inputs["input_values"])
        return out.pooler_output[0] if family == "ast" else out.last_hidden_state[0].mean(0)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_piece_is_heard_as_the_network_does_it_by_itself(family, sound_folders):
    waveform = noise(int(0.7 * rate(family)))
    folder = sound_folders[family]
    with torch.inference_mode():
        found = backbone(folder, family).hear([waveform])[0]
    torch.testing.assert_close(found, own_answer(folder, family, waveform))


@pytest.mark.parametrize("family", FAMILIES)
def test_it_is_rebuilt_from_configuration_and_weights(family, sound_folders, tmp_path):
    settings = AudioSettings(sample_rate=rate(family), window_seconds=1.0)
    before = backbone(sound_folders[family], family)
    before.model.config.save_pretrained(tmp_path)
    before.extractor.save_pretrained(tmp_path)
    again = blank_sound(tmp_path, settings).eval()
    again.load_state_dict(before.state_dict())
    pieces = before.pieces(noise(2 * rate(family)))
    with torch.inference_mode():
        assert torch.equal(again.hear(pieces), before.hear(pieces))
    assert again.spec() == before.spec()


@pytest.mark.parametrize("family", FAMILIES)
def test_two_sounds_are_told_apart_and_one_is_heard_alike_twice(family, sound_folders):
    ear = backbone(sound_folders[family], family)
    with torch.inference_mode():
        one, other, again = (ear.hear([noise(rate(family), seed)])[0] for seed in (0, 1, 0))
    assert torch.equal(one, again)
    assert not torch.allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("family", ["wav2vec2", "whisper"])
def test_pieces_of_many_lengths_keep_their_order(family, sound_folders):
    ear = backbone(sound_folders[family], family)
    pieces = [noise(samples, seed) for seed, samples in enumerate((9000, 4000, 9000, 7000, 4000))]
    with torch.inference_mode():
        together = ear.hear(pieces)
        for row, piece in enumerate(pieces):
            torch.testing.assert_close(together[row], ear.hear([piece])[0], atol=1e-5, rtol=1e-4)


@given(samples=st.integers(0, 100_000), window=st.floats(0.2, 2.0))
def test_a_sound_is_cut_into_as_few_equal_pieces_as_fit(sound_folders, samples, window):
    ear = backbone(sound_folders["wav2vec2"])
    ear._longest = longest = round(window * 16_000)
    waveform = noise(samples)
    pieces = ear.pieces(waveform)
    lengths = {len(piece) for piece in pieces}
    assert len(lengths) == 1
    assert len(pieces) == max(1, -(-samples // longest))
    assert 1600 <= lengths.pop() <= max(longest, 1600)
    joined = np.concatenate(pieces)
    np.testing.assert_array_equal(joined[:samples], waveform)
    assert not joined[samples:].any()


@pytest.mark.parametrize(
    ("family", "longest"),
    [("wav2vec2", 16_000), ("ast", 400 + 127 * 160), ("whisper", 32_000), ("clap", 480_000)],
)
def test_no_piece_is_longer_than_the_network_hears(family, longest, sound_folders):
    ear = backbone(sound_folders[family], family)
    assert [len(piece) for piece in ear.pieces(noise(3 * longest))] == [longest] * 3
    assert len(ear.pieces(noise(3 * longest + 1))) == 4


def test_an_ast_hears_the_end_of_its_longest_piece(sound_folders):
    ear = backbone(sound_folders["ast"])
    piece = ear.pieces(noise(400 + 127 * 160))[0]
    changed = piece.copy()
    changed[-400:] = 0.5
    with torch.inference_mode():
        assert not torch.equal(ear.hear([piece]), ear.hear([changed]))


def test_weights_that_serve_pretraining_alone_may_be_missing(sound_folders, tmp_path):
    """Networks that were trained to write down speech come without the vector that hides stretches of sound."""
    folder = shutil.copytree(sound_folders["wav2vec2"], tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    del weights["masked_spec_embed"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert backbone(folder).spec() == backbone(sound_folders["wav2vec2"]).spec()


def test_half_a_network_is_refused(sound_folders, tmp_path):
    folder = shutil.copytree(sound_folders["hubert"], tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    weights.pop("encoder.layers.1.attention.k_proj.weight")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match="lack 1 tensors, encoder.layers.1"):
        backbone(folder)


def test_another_sample_rate_is_refused_with_the_right_one(sound_folders):
    with pytest.raises(ConfigError, match="48000 samples a second") as caught:
        backbone(sound_folders["clap"], sample_rate=16_000)
    assert "audio.sample_rate=48000" in caught.value.hint


def test_another_kind_is_refused_with_those_that_work(sound_folders, tmp_path):
    folder = shutil.copytree(sound_folders["wav2vec2"], tmp_path / "model")
    EncodecFeatureExtractor(sampling_rate=16_000).save_pretrained(folder)
    with pytest.raises(ConfigError, match="EncodecFeatureExtractor cannot be used") as caught:
        backbone(folder)
    for word in ("Wav2Vec2", "HuBERT", "WavLM", "AST", "Whisper", "CLAP"):
        assert word in caught.value.hint


def test_a_folder_without_a_feature_extractor_is_refused(sound_folders, resnet_folder, tmp_path):
    folder = shutil.copytree(sound_folders["wav2vec2"], tmp_path / "model")
    (folder / "preprocessor_config.json").unlink()
    for lacking in (folder, resnet_folder):
        with pytest.raises((ModelError, ConfigError)) as caught:
            backbone(lacking)
        assert caught.value.hint


def test_a_feature_extractor_of_another_network_is_refused(sound_folders, tmp_path):
    folder = shutil.copytree(sound_folders["ast"], tmp_path / "model")
    shutil.copy(sound_folders["wav2vec2"] / "preprocessor_config.json", folder)
    with pytest.raises(ModelError, match="does not take what its feature extractor gives"):
        backbone(folder)


def test_a_feature_extractor_among_the_parts_of_a_processor_is_found(sound_folders, tmp_path):
    folder = shutil.copytree(sound_folders["wav2vec2"], tmp_path / "model")
    (folder / "preprocessor_config.json").unlink()
    part = {**Wav2Vec2FeatureExtractor().to_dict(), "do_normalize": False}
    named = {"processor_class": Wav2Vec2Processor.__name__, "feature_extractor": part}
    (folder / "processor_config.json").write_text(json.dumps(named))
    assert backbone(folder).extractor.do_normalize is False
