from __future__ import annotations

import numpy as np
import pytest
import torch

from tagtower.config import AudioSettings
from tagtower.features.spectra import FRONTENDS
from tagtower.towers.audio import NETWORKS, AudioEncoder

COEFFICIENTS = 12
RATE = 8000


def encoder(network: str, **changes: object) -> AudioEncoder:
    torch.manual_seed(0)
    settings = {"network": network, "channels": 8, "coefficients": COEFFICIENTS, "mels": 20, "dropout": 0.0}
    return AudioEncoder(AudioSettings(**{**settings, **changes}))


def tones_and_noise(sounds: int, seed: int) -> tuple[list[np.ndarray], torch.Tensor]:
    """Every other sound is a tone of any pitch, the others noise, each at a loudness of its own."""
    random = np.random.default_rng(seed)
    t = np.arange(RATE // 4) / RATE
    waveforms = []
    for row in range(sounds):
        tone = np.sin(2 * np.pi * random.uniform(200, 3500) * t)
        noise = random.uniform(-1, 1, t.size)
        loudness = random.uniform(0.1, 0.9)
        waveforms.append((loudness * (noise if row % 2 else 0.95 * tone + 0.05 * noise)).astype(np.float32))
    return waveforms, torch.arange(sounds) % 2 == 1


@pytest.mark.parametrize(
    ("frontend", "network"),
    [*((name, "stats") for name in FRONTENDS), *(("mfcc,flatness", name) for name in NETWORKS)],
)
def test_every_spectrum_and_every_network_learns_tones_from_noise(frontend: str, network: str) -> None:
    audio = encoder(network, frontend=frontend.split(","), sample_rate=RATE)
    out = torch.nn.Linear(audio.width, 1)
    optimizer = torch.optim.Adam([*audio.parameters(), *out.parameters()], 5e-3)

    def answers(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        waveforms, is_noise = tones_and_noise(32, seed)
        steps = torch.stack([torch.tensor(audio.features(one)) for one in waveforms])
        return steps, is_noise

    steps, is_noise = answers(seed=0)
    mask = torch.ones(steps.shape[:2], dtype=torch.bool)
    for _ in range(40):
        answer = out(audio(steps, mask))[:, 0]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(answer, is_noise.float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    audio.eval()
    steps, is_noise = answers(seed=1)
    assert ((out(audio(steps, mask))[:, 0] > 0) == is_noise).float().mean() > 0.8


def test_features_are_the_spectra_of_the_settings() -> None:
    waveform = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    waveform.flags.writeable = False  # as what arrives from a decoding process
    features = encoder("cnn").features(waveform)
    assert features.shape == (98, COEFFICIENTS)
    assert features.dtype == np.float32


@pytest.mark.parametrize(
    "change",
    [
        {"hop_ms": 12.0},
        {"mels": 21},
        {"whole_seconds": 30.0},
        {"frontend": "mel"},
        {"frontend": ["mfcc", "dwt"]},
        {"bins_per_octave": 24},
    ],
)
def test_spec_changes_with_what_is_stored(change: dict[str, object]) -> None:
    assert encoder("cnn", **change).spec() != encoder("cnn").spec()


@pytest.mark.parametrize("change", [{"channels": 4}, {"dropout": 0.5}])
def test_spec_stays_where_only_the_network_changes(change: dict[str, object]) -> None:
    assert encoder("cnn", **change).spec() == encoder("cnn").spec() == encoder("stats").spec()
    assert encoder("gru").spec() == encoder("cnn").spec()
