"""Each sound has what its tag says, at any loudness and in any phase."""

from __future__ import annotations

import numpy as np
import pytest

from tagtower.usecases.demo_corpus.sounds import BEATS, SAMPLE_RATE, VOICES, play

_SEEDS = range(5)


def _sound(voice: str | None, beat: str | None, seed: int) -> np.ndarray:
    return play(voice, beat, 3.5, np.random.default_rng(seed))


def _loudest_hz(wave: np.ndarray) -> float:
    return float(np.abs(np.fft.rfft(wave)).argmax() * SAMPLE_RATE / len(wave))


def _hits(wave: np.ndarray) -> int:
    """How often the loudness leaps, in steps of 20 ms."""
    step = SAMPLE_RATE // 50
    loud = np.abs(wave[: len(wave) // step * step]).reshape(-1, step).max(1)
    above = loud > 0.5 * loud.max()
    return int((above[1:] & ~above[:-1]).sum() + above[0])


@pytest.mark.parametrize("voice", [None, *VOICES])
@pytest.mark.parametrize("beat", [None, *BEATS])
def test_every_pair_plays_without_clipping(voice: str | None, beat: str | None) -> None:
    if voice is None and beat is None:
        return
    wave = _sound(voice, beat, 0)
    assert wave.dtype == np.float32
    assert len(wave) == round(3.5 * SAMPLE_RATE)
    assert 0.1 < np.abs(wave).max() < 1
    assert np.array_equal(wave, _sound(voice, beat, 0))


@pytest.mark.parametrize("seed", _SEEDS)
def test_a_high_tone_is_high_and_a_low_tone_low(seed: int) -> None:
    assert _loudest_hz(_sound("high tone", None, seed)) > 1000
    assert _loudest_hz(_sound("low tone", None, seed)) < 700


@pytest.mark.parametrize("seed", _SEEDS)
def test_a_fast_beat_has_more_hits_than_a_slow_one(seed: int) -> None:
    assert _hits(_sound(None, "fast beat", seed)) >= 14
    assert _hits(_sound(None, "slow beat", seed)) <= 8
