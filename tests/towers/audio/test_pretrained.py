"""The audio expert over a pretrained network: frozen it keeps vectors, trained it keeps the waveform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tagtower.config import AudioSettings
from tagtower.towers import TwoTower, VideoFeatures, collate_videos
from tagtower.towers.audio import PretrainedAudioEncoder
from tagtower.towers.audio.backbone import pretrained_sound

from ..conftest import tiny_tower

RATE = 16_000


def encoder(folder: Path, *, frozen: bool, **changes: Any) -> PretrainedAudioEncoder:
    settings = AudioSettings(**{"window_seconds": 1.0, **changes})
    return PretrainedAudioEncoder(pretrained_sound(folder, settings), settings, frozen=frozen).eval()


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


def vector(audio: PretrainedAudioEncoder, waveform: np.ndarray) -> torch.Tensor:
    steps = torch.tensor(audio.features(waveform))[None]
    with torch.inference_mode():
        return audio(steps, torch.ones(steps.shape[:2], dtype=torch.bool))[0]


def tuned_tower(folder: Path, **train: Any) -> TwoTower:
    return tiny_tower(
        image={"encoder": "none"},
        audio={"encoder": str(folder), "window_seconds": 0.5},
        train={"backbones": "finetune", **train},
    )


def heard(tower: TwoTower, *samples: int) -> list[VideoFeatures]:
    return [VideoFeatures(audio=tower.sound_features(noise(n, row))) for row, n in enumerate(samples)]


def test_a_frozen_network_gives_a_vector_for_each_piece(sound_folders):
    features = encoder(sound_folders["wav2vec2"], frozen=True).features(noise(int(2.5 * RATE)))
    assert features.shape == (3, 16)
    assert features.dtype == np.float32


def test_a_trained_network_gets_the_waveform(sound_folders):
    waveform = noise(1000)
    features = encoder(sound_folders["wav2vec2"], frozen=False).features(waveform)
    assert features.shape == (4, 320)
    np.testing.assert_array_equal(features.reshape(-1)[:1000], waveform)
    assert not features.reshape(-1)[1000:].any()


@pytest.mark.parametrize("family", ["wav2vec2", "hubert", "wavlm", "ast", "whisper"])
@pytest.mark.parametrize("samples", [0, 1, 1000, 16_000, 16_001, 40_000])
def test_frozen_and_trained_hear_alike(family, samples, sound_folders):
    kept, raw = (encoder(sound_folders[family], frozen=frozen) for frozen in (True, False))
    torch.testing.assert_close(
        vector(kept, noise(samples)), vector(raw, noise(samples)), atol=1e-5, rtol=1e-4
    )


def test_what_is_no_number_counts_as_silence(sound_folders):
    audio = encoder(sound_folders["wav2vec2"], frozen=True)
    waveform, silent = noise(5000), noise(5000)
    waveform[100:200], silent[100:200] = np.nan, 0.0
    assert torch.equal(vector(audio, waveform), vector(audio, silent))


@pytest.mark.parametrize("frozen", [True, False])
def test_other_sounds_of_a_batch_never_leak(sound_folders, frozen):
    audio = encoder(sound_folders["wavlm"], frozen=frozen)
    alone = vector(audio, noise(9000))
    videos = [VideoFeatures(audio=audio.features(noise(n))) for n in (9000, 30_000, 400)]
    batch = collate_videos(videos, ("audio",))
    batch.audio[0][~batch.audio_mask[0]] = 7.0
    with torch.inference_mode():
        found = audio(batch.audio, batch.audio_mask)
    torch.testing.assert_close(found[0], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("family", ["wav2vec2", "hubert", "wavlm", "ast", "whisper"])
def test_training_reaches_the_network_and_repeats_itself(family, sound_folders):
    """Also where networks hide stretches of sound at random, in training only, out of a generator of their own."""
    gradients = []
    for numpy_seed in (1, 2):
        tower = tuned_tower(sound_folders[family]).train()
        np.random.seed(numpy_seed)
        torch.manual_seed(0)
        batch = collate_videos(heard(tower, 9000, 30_000), tower.modalities)
        tower.encode_videos(batch).vectors.square()[:, 0].sum().backward()
        found = {name: one.grad for name, one in tower.audio.backbone.named_parameters()}
        assert any(one is not None and one.abs().sum() > 0 for one in found.values())
        gradients.append(found)
    for name, first in gradients[0].items():
        assert (first is None) == (gradients[1][name] is None)
        assert first is None or torch.equal(first, gradients[1][name]), name


def test_a_frozen_network_is_left_alone(sound_folders):
    tower = tiny_tower(image={"encoder": "none"}, audio={"encoder": str(sound_folders["hubert"])}).train()
    assert not tower.audio.backbone.training
    assert not any(parameter.requires_grad for parameter in tower.audio.backbone.parameters())
    assert not tower.sound_is_raw


def test_sound_may_stay_frozen_while_others_are_trained(sound_folders, bert_folder):
    tower = tiny_tower(
        image={"encoder": "none"},
        audio={"encoder": str(sound_folders["hubert"])},
        text={"encoder": str(bert_folder)},
        train={"backbones": "finetune", "finetune": ["text", "tag"]},
    )
    assert tower.audio.frozen
    assert not tower.text_is_frozen


@pytest.mark.parametrize(("family", "stem"), [("wav2vec2", "feature_extractor."), ("whisper", "conv1.")])
def test_layers_learn_at_rates_of_their_own(family, stem, sound_folders):
    tower = tuned_tower(sound_folders[family], backbone_learning_rate=1e-4, layer_decay=0.5)
    groups = tower.parameter_groups(tower.settings.train)
    rates = {id(one): group["lr"] for group in groups for one in group["params"]}
    for name, parameter in tower.audio.backbone.model.named_parameters():
        if not parameter.requires_grad:
            continue
        top, bottom = ".layers.1." in f".{name}", name.startswith(stem)
        if top or bottom:
            assert rates[id(parameter)] == pytest.approx(1e-4 if top else 2.5e-5), name


def test_what_is_stored_is_named_by_network_and_cutting(sound_folders):
    frozen = encoder(sound_folders["wav2vec2"], frozen=True).spec()
    assert encoder(sound_folders["wav2vec2"], frozen=True).spec() == frozen
    assert encoder(sound_folders["hubert"], frozen=True).spec() != frozen
    assert encoder(sound_folders["wav2vec2"], frozen=True, window_seconds=2.0).spec() != frozen
    raw = encoder(sound_folders["wav2vec2"], frozen=False).spec()
    assert raw != frozen
    # What is kept of a waveform does not depend on the network that hears it.
    assert encoder(sound_folders["hubert"], frozen=False).spec() == raw
