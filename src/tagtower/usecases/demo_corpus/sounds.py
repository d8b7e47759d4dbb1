"""Makes the sound of a demo clip: a voice, a beat, or both, over a hiss, at any loudness and in any phase."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

SAMPLE_RATE = 22_050

Times: TypeAlias = Float[np.ndarray, " sample"]
Wave: TypeAlias = Float[np.ndarray, " sample"]


def high_tone(times: Times, rng: np.random.Generator) -> Wave:
    """A steady note between 1100 and 2000 Hz."""
    return _note(times, rng.uniform(1100, 2000), rng)


def low_tone(times: Times, rng: np.random.Generator) -> Wave:
    """A steady note between 110 and 220 Hz."""
    return _note(times, rng.uniform(110, 220), rng)


def siren(times: Times, rng: np.random.Generator) -> Wave:
    """A note that wails up and down between about 500 and 1400 Hz, once in one to two seconds."""
    sweep = np.sin(2 * np.pi * rng.uniform(0.5, 1.0) * times + rng.uniform(0, 6))
    pitch = rng.uniform(750, 950) * np.exp(rng.uniform(0.35, 0.55) * sweep)
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    return np.asarray(np.sin(phase) + rng.uniform(0.1, 0.5) * np.sin(2 * phase))


def static(times: Times, rng: np.random.Generator) -> Wave:
    """Noise that swells and fades like a badly tuned radio."""
    noise = _hiss(len(times), rng.uniform(0.0, 0.6), rng)
    return noise * (1 + 0.4 * np.sin(2 * np.pi * rng.uniform(0.2, 1.5) * times + rng.uniform(0, 6)))


def birdsong(times: Times, rng: np.random.Generator) -> Wave:
    """Short chirps between 2500 and 6000 Hz, in bursts."""
    wave = np.zeros_like(times)
    start = rng.uniform(0.0, 0.3)
    while start < times[-1]:
        base, glide, length = rng.uniform(2500, 4500), rng.uniform(3000, 12000), rng.uniform(0.05, 0.12)
        for chirp in range(rng.integers(2, 6)):
            since = times - start - chirp * length * 1.6
            envelope = np.where((since > 0) & (since < length), np.sin(np.pi * since / length), 0.0)
            wave += envelope * np.sin(2 * np.pi * (base + glide * since / 2) * since)
        start += rng.uniform(0.5, 1.1)
    return wave


def bells(times: Times, rng: np.random.Generator) -> Wave:
    """Struck bells whose partials, out of tune with each other, die away over a second."""
    wave = np.zeros_like(times)
    start = rng.uniform(0.0, 0.4)
    while start < times[-1]:
        pitch = rng.uniform(400, 800)
        since = np.maximum(times - start, 0.0)
        for ratio, loud in (
            (0.5, 0.4),
            (1.0, 1.0),
            (1.19, 0.7),
            (1.56, 0.6),
            (2.0, 0.6),
            (2.66, 0.4),
            (4.1, 0.3),
        ):
            fade = np.exp(-since * rng.uniform(2.5, 4.0) * np.sqrt(ratio))
            wave += loud * fade * np.sin(2 * np.pi * pitch * ratio * since)
        start += rng.uniform(0.6, 1.3)
    return wave


def fast_beat(times: Times, rng: np.random.Generator) -> Wave:
    """Drum hits, 5 to 7 a second."""
    return _drum(times, rng.uniform(5.0, 7.0), rng)


def slow_beat(times: Times, rng: np.random.Generator) -> Wave:
    """Drum hits, 1.2 to 2 a second."""
    return _drum(times, rng.uniform(1.2, 2.0), rng)


VOICES: dict[str, Callable[[Times, np.random.Generator], Wave]] = {
    "high tone": high_tone,
    "low tone": low_tone,
    "siren": siren,
    "radio static": static,
    "birdsong": birdsong,
    "bells": bells,
}
"""What sounds all through a clip, by the name of the tag."""

BEATS: dict[str, Callable[[Times, np.random.Generator], Wave]] = {
    "fast beat": fast_beat,
    "slow beat": slow_beat,
}
"""What a clip is beaten to, by the name of the tag."""


def play(
    voice: str | None, beat: str | None, seconds: float, rng: np.random.Generator
) -> Float[np.ndarray, " sample"]:
    """The waveform of a clip at SAMPLE_RATE, float32 in [-1, 1], with at least one of `voice` and `beat`."""
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    parts = [_level(VOICES[voice](times, rng))] if voice else []
    if beat:
        # A drum's energy lies in its first milliseconds; at equal loudness it would drown the voice's pitch.
        parts.append(_level(BEATS[beat](times, rng)) * rng.uniform(0.8, 1.6))
    wave = sum(parts) + _hiss(len(times), rng.uniform(0, 1), rng) * 10 ** (rng.uniform(-40, -24) / 20)
    loudness = 10 ** (rng.uniform(-14, -1) / 20)
    return np.asarray(wave / np.abs(wave).max() * loudness, np.float32)


def _level(wave: Wave) -> Wave:
    """The wave at unit root mean square."""
    return np.asarray(wave / np.sqrt(np.mean(wave**2)))


def _note(times: Times, pitch: float, rng: np.random.Generator) -> Wave:
    """A note with vibrato, a swell, and overtones of random strength."""
    vibrato = rng.uniform(0, 0.01) * np.sin(2 * np.pi * rng.uniform(3, 6) * times)
    phase = 2 * np.pi * pitch * (times + vibrato / 20) + rng.uniform(0, 6)
    wave = sum(rng.uniform(0.2, 1.0) / k**1.5 * np.sin(k * phase) for k in range(1, 6))
    return np.asarray(wave * (1 + rng.uniform(0, 0.5) * np.sin(2 * np.pi * rng.uniform(0.3, 2) * times)))


def _drum(times: Times, rate: float, rng: np.random.Generator) -> Wave:
    """Hits at a steady rate (Hz), each a falling thump with a click of noise."""
    offset = rng.uniform(0, 1 / rate)
    since = np.mod(times - offset, 1 / rate)
    thump = np.sin(2 * np.pi * rng.uniform(60, 110) * since + 5 * np.exp(-since * 50))
    click = rng.standard_normal(len(times)) * np.exp(-since * rng.uniform(40, 90))
    return np.asarray(thump * np.exp(-since * rng.uniform(14, 24)) + rng.uniform(0.3, 0.9) * click)


def _hiss(samples: int, slope: float, rng: np.random.Generator) -> Wave:
    """Noise whose amplitude falls with frequency to the power `slope`: 0 is white, 1 is a dark rumble."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    frequency = np.maximum(np.arange(len(spectrum)), samples * 50 / SAMPLE_RATE)
    return _level(np.fft.irfft(spectrum / frequency**slope, samples))
