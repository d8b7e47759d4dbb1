from __future__ import annotations

from typing import Literal

import kaldi_native_fbank as knf
import numpy as np
import pytest
import scipy.fft
import scipy.signal
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tagtower.config.sections import AudioSettings
from tagtower.errors import ConfigError
from tagtower.features.spectra.frames import FRAMES_AT_ONCE
from tagtower.features.spectra.mel import mel_filters
from tagtower.features.spectra.mfcc import Mfcc, mfcc


def noise(seconds: float, rate: int, seed: int = 0) -> np.ndarray:
    """Noise that swells and fades, in [-1, 1]: every band has energy, as float32 oracles need."""
    samples = np.random.default_rng(seed).uniform(-1, 1, int(seconds * rate))
    return (samples * np.linspace(0.05, 0.8, samples.size)).astype(np.float32)


def tone(seconds: float, rate: int) -> np.ndarray:
    return np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate).astype(np.float32)


def reference_bands(waveform: np.ndarray, audio: AudioSettings) -> np.ndarray:
    """Steps 1 to 6 of the recipe again, in float64 and frame by frame."""
    size, hop = int(audio.sample_rate * audio.frame_ms / 1000), int(audio.sample_rate * audio.hop_ms / 1000)
    fft = 2 ** int(np.ceil(np.log2(size)))
    high = audio.high_hz or audio.sample_rate / 2

    def mel(hertz: float) -> float:
        return 1127 * np.log(1 + hertz / 700)

    width = (mel(high) - mel(audio.low_hz)) / (audio.mels + 1)
    bank = np.zeros((audio.mels, fft // 2 + 1))
    for band in range(audio.mels):
        centre = mel(audio.low_hz) + (band + 1) * width
        for k in range(fft // 2 + 1):
            bank[band, k] = max(0.0, 1 - abs(mel(k * audio.sample_rate / fft) - centre) / width)
    rows = []
    for start in range(0, len(waveform) - size + 1, hop):
        frame = waveform[start : start + size].astype(np.float64)
        frame = np.append(frame[0] * (1 - audio.preemphasis), frame[1:] - audio.preemphasis * frame[:-1])
        spectrum = np.abs(np.fft.rfft(frame * scipy.signal.windows.hamming(size, sym=True), fft))
        energies = bank @ (spectrum**2 if audio.spectrum == "power" else spectrum)
        rows.append(np.log(np.maximum(energies, np.finfo(np.float32).eps)))
    return np.array(rows)


def reference(waveform: np.ndarray, audio: AudioSettings) -> np.ndarray:
    bands = reference_bands(waveform, audio)
    return scipy.fft.dct(bands, type=2, norm="ortho")[:, : audio.coefficients]


def within_float32(waveform: np.ndarray, audio: AudioSettings) -> np.ndarray:
    """Which frames the float32 of Kaldi can do: those whose bands lie within 60 dB of each other.

    Beyond, its own distance from float64 was seen to pass 1e-4 (1.1e-4 at 75 dB; below 60 dB at most 2e-5).
    """
    bands = reference_bands(waveform, audio)
    decibels = (20 if audio.spectrum == "magnitude" else 10) / np.log(10)
    return np.ptp(bands, axis=1) * decibels < 60


def set_up(options: knf.MfccOptions | knf.FbankOptions, audio: AudioSettings) -> None:
    frame = options.frame_opts
    frame.samp_freq, frame.frame_length_ms, frame.frame_shift_ms = (
        audio.sample_rate,
        audio.frame_ms,
        audio.hop_ms,
    )
    frame.dither, frame.remove_dc_offset, frame.window_type = 0.0, False, "hamming"
    frame.preemph_coeff = audio.preemphasis
    mel = options.mel_opts
    mel.num_bins, mel.low_freq, mel.high_freq = audio.mels, audio.low_hz, audio.high_hz or 0.0
    options.use_energy = False


def run_oracle(oracle: knf.OnlineMfcc | knf.OnlineFbank, waveform: np.ndarray, rate: int) -> np.ndarray:
    oracle.accept_waveform(rate, waveform.tolist())
    oracle.input_finished()
    return np.stack([oracle.get_frame(k) for k in range(oracle.num_frames_ready)])


def kaldi(waveform: np.ndarray, audio: AudioSettings) -> np.ndarray:
    """kaldi-native-fbank's MFCC; it knows only power there, so magnitude goes through its log-mel bands."""
    if audio.spectrum == "power":
        options = knf.MfccOptions()
        set_up(options, audio)
        options.num_ceps, options.cepstral_lifter = audio.coefficients, 0.0
        return run_oracle(knf.OnlineMfcc(options), waveform, audio.sample_rate)
    options = knf.FbankOptions()
    set_up(options, audio)
    options.use_power, options.use_log_fbank = False, True
    bands = run_oracle(knf.OnlineFbank(options), waveform, audio.sample_rate)
    return scipy.fft.dct(bands.astype(np.float64), type=2, norm="ortho")[:, : audio.coefficients]


@st.composite
def audio_settings(draw: st.DrawFn) -> AudioSettings:
    rate = draw(st.sampled_from([8000, 11025, 16000, 22050, 44100]))
    spectrum: Literal["power", "magnitude"] = draw(st.sampled_from(["power", "magnitude"]))
    mels = draw(st.integers(4, 40))
    audio = AudioSettings(
        sample_rate=rate,
        frame_ms=draw(st.integers(40, 120)) / 4,
        hop_ms=draw(st.integers(10, 80)) / 4,
        mels=mels,
        coefficients=draw(st.integers(2, mels)),
        low_hz=draw(st.sampled_from([0.0, 20.0, 133.5])),
        high_hz=draw(st.sampled_from([None, rate * 0.45])),
        preemphasis=draw(st.sampled_from([0.0, 0.9, 0.97])),
        spectrum=spectrum,
    )
    try:
        Mfcc(audio)
    except ConfigError:
        assume(False)
    return audio


@settings(max_examples=40, deadline=None)
@given(audio_settings(), st.integers(0, 9))
@example(AudioSettings(), 0)
@example(AudioSettings(spectrum="magnitude"), 1)
@example(
    AudioSettings(
        sample_rate=8000,
        frame_ms=10,
        hop_ms=2.5,
        mels=40,
        coefficients=2,
        low_hz=0,
        high_hz=3600,
        preemphasis=0.9,
    ),
    7,
)
def test_agrees_with_kaldi_and_with_float64(audio: AudioSettings, seed: int) -> None:
    waveform = noise(0.2, audio.sample_rate, seed)
    ours = mfcc(torch.from_numpy(waveform), audio).numpy()
    np.testing.assert_allclose(ours, reference(waveform, audio), atol=1e-5, rtol=0)
    fair = within_float32(waveform, audio)
    np.testing.assert_allclose(ours[fair], kaldi(waveform, audio)[fair], atol=1e-4, rtol=0)


def test_nearly_every_frame_is_compared_with_kaldi() -> None:
    assert within_float32(noise(1, 16000), AudioSettings()).mean() > 0.9


@pytest.mark.parametrize("spectrum", ["power", "magnitude"])
def test_keeps_to_float64_where_a_loud_tone_stands_beside_silence(
    spectrum: Literal["power", "magnitude"],
) -> None:
    audio = AudioSettings(spectrum=spectrum)
    ours = mfcc(torch.from_numpy(tone(0.3, 16000)), audio).numpy()
    np.testing.assert_allclose(ours, reference(tone(0.3, 16000), audio), atol=1e-5, rtol=0)


def test_silence_rests_on_the_floor() -> None:
    audio = AudioSettings(mels=30, coefficients=30)
    silence = mfcc(torch.zeros(4000), audio)
    assert silence[:, 0].numpy() == pytest.approx(np.sqrt(30) * np.log(2.0**-23), abs=1e-4)
    assert silence[:, 1:].abs().max() < 1e-4


@pytest.mark.parametrize("samples", [0, 1, 399, 400])
def test_sound_up_to_one_frame_gives_one_step(samples: int) -> None:
    waveform = torch.from_numpy(noise(1, 16000)[:samples])
    padded = torch.cat([waveform, torch.zeros(400 - samples)])
    assert torch.equal(mfcc(waveform, AudioSettings()), mfcc(padded, AudioSettings()))
    assert mfcc(waveform, AudioSettings()).shape == (1, 40)


def test_a_step_every_hop_that_fits() -> None:
    assert mfcc(torch.zeros(16000), AudioSettings()).shape == (98, 40)


def test_blocks_do_not_show() -> None:
    audio = AudioSettings(sample_rate=4000, frame_ms=10, hop_ms=1, mels=8, coefficients=8)
    waveform = torch.from_numpy(noise(FRAMES_AT_ONCE / 1000 + 0.1, 4000))
    whole = mfcc(waveform, audio)
    tail_start = FRAMES_AT_ONCE - 7
    tail = mfcc(waveform[4 * tail_start :], audio)
    torch.testing.assert_close(whole[tail_start:], tail, atol=1e-5, rtol=0)


def test_what_is_no_number_counts_as_silence() -> None:
    broken = torch.from_numpy(noise(0.1, 16000))
    mended = broken.clone()
    broken[100:200] = torch.tensor([float("nan"), float("inf")]).repeat(50)
    mended[100:200] = 0
    assert torch.equal(mfcc(broken, AudioSettings()), mfcc(mended, AudioSettings()))


def test_the_bands_overlap_to_one_between_the_outer_centres() -> None:
    filters = mel_filters(AudioSettings(mels=20, coefficients=20), 512)
    first, last = filters[:, 0].argmax(), filters[:, -1].argmax()
    torch.testing.assert_close(filters[first + 1 : last].sum(dim=1), torch.ones(last - first - 1).double())


def test_bands_too_narrow_for_the_spectrum_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"audio\.mels \(200\)"):
        Mfcc(AudioSettings(mels=200, coefficients=40))
