from __future__ import annotations

import pytest
import torch

from tagtower.config import AudioSettings
from tagtower.towers.audio import NETWORKS, AudioEncoder

COEFFICIENTS = 12


def encoder(network: str, **changes: object) -> AudioEncoder:
    torch.manual_seed(0)
    settings = {"network": network, "channels": 8, "coefficients": COEFFICIENTS, "mels": 20, "dropout": 0.0}
    return AudioEncoder(AudioSettings(**{**settings, **changes}))


def sound(steps: int, videos: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(videos, steps, COEFFICIENTS), torch.ones(videos, steps, dtype=torch.bool)


def padded(steps: torch.Tensor, mask: torch.Tensor, by: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The same sounds with `by` steps of nonsense behind them."""
    nonsense = torch.full((len(steps), by, COEFFICIENTS), 1e4)
    return torch.cat([steps, nonsense], 1), torch.nn.functional.pad(mask, (0, by), value=False)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("steps", [1, 2, 7, 8, 30])
@pytest.mark.parametrize("by", [1, 2, 9])
def test_padding_never_leaks(network: str, steps: int, by: int) -> None:
    audio, (values, mask) = encoder(network).eval(), sound(steps)
    torch.testing.assert_close(audio(*padded(values, mask, by)), audio(values, mask))


@pytest.mark.parametrize("network", NETWORKS)
def test_padding_reaches_neither_the_statistics_of_training_nor_its_gradients(network: str) -> None:
    values, mask = sound(20, videos=4)
    plain, with_padding = encoder(network).train(), encoder(network).train()
    longer, longer_mask = padded(values, mask, 7)
    longer.requires_grad_()
    torch.manual_seed(1)
    out = with_padding(longer, longer_mask)
    torch.manual_seed(1)
    torch.testing.assert_close(out, plain(values, mask))
    out.square().sum().backward()
    assert torch.equal(longer.grad[:, 20:], torch.zeros(4, 7, COEFFICIENTS))
    for (name, a), b in zip(plain.state_dict().items(), with_padding.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, msg=name)


@pytest.mark.parametrize("network", NETWORKS)
def test_one_step_can_be_trained_on(network: str) -> None:
    assert encoder(network).train()(*sound(1)).isfinite().all()


@pytest.mark.parametrize("network", NETWORKS)
def test_hears_a_rhythm(network: str) -> None:
    """Fast and slow clicks of one loudness, anywhere in a sound."""
    torch.manual_seed(0)
    fast = torch.arange(64) % 2
    audio = encoder(network)
    values = torch.randn(64, 48, COEFFICIENTS) * 0.3
    for row in range(64):
        period, start = (4, 8)[int(fast[row])], int(torch.randint(0, 4, ()))
        values[row, start::period, :4] += 3.0 * period**0.5
    mask = torch.ones(64, 48, dtype=torch.bool)
    out = torch.nn.Linear(audio.width, 1)
    optimizer = torch.optim.Adam([*audio.parameters(), *out.parameters()], 3e-3)
    for _ in range(60):
        answer = out(audio(values, mask))[:, 0]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(answer, fast.float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert ((answer > 0) == fast.bool()).float().mean() > 0.9


@pytest.mark.parametrize("network", NETWORKS)
def test_statistics_are_scaled_over_the_sounds_and_not_within_one(network: str) -> None:
    """A coefficient that hardly varies counts as much as one that does."""
    values, mask = sound(20, videos=32)
    values[:, :, 0] *= 100.0
    found = encoder(network).network.train().statistics(values, mask)
    assert found.shape == (32, 3 * COEFFICIENTS)
    torch.testing.assert_close(found.mean(0), torch.zeros(3 * COEFFICIENTS), atol=1e-4, rtol=0)
    torch.testing.assert_close(found.std(0, correction=0), torch.ones(3 * COEFFICIENTS), atol=2e-2, rtol=0)


@pytest.mark.parametrize("network", ["cnn", "gru"])
def test_a_sound_in_training_comes_through_another_microphone_each_time(network: str) -> None:
    audio, (values, mask) = encoder(network), sound(20, videos=4)
    audio.train()
    torch.manual_seed(1)
    first, second = audio(values, mask), audio(values, mask)
    assert not torch.allclose(first, second)
    torch.manual_seed(1)
    assert torch.equal(audio(values, mask), first)
    audio.eval()
    assert torch.equal(audio(values, mask), audio(values, mask))
