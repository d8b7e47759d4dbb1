from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tagtower.config.sections import MediaSettings
from tagtower.errors import MediaError
from tagtower.media.decode import decode
from tagtower.media.records import DecodeRequest, FrameRequest, Sound, SoundRequest

WINDOWS = SoundRequest(whole_seconds=2.0, windows=4, window_seconds=0.5)


def heard(path: Path, request: SoundRequest | None = None, frames: FrameRequest | None = None) -> Sound:
    sound = decode(path, DecodeRequest(frames, request or SoundRequest()), MediaSettings()).sound
    assert sound is not None
    return sound


def staircase(seconds: int) -> np.ndarray:
    """A tone whose loudness rises with every tenth of a second, so that a stretch of it tells when it is."""
    time = np.arange(seconds * 16_000) / 16_000
    return (np.sin(2 * np.pi * 500 * time) * (np.floor(time * 10) + 1) / (10 * seconds + 1)).astype(
        np.float32
    )


def loudness(waveform: np.ndarray) -> np.ndarray:
    """Loudest sample of each tenth of a second, without its edges."""
    tenths = waveform[: len(waveform) // 1600 * 1600].reshape(-1, 1600)
    return np.abs(tenths[:, 400:1200]).max(axis=1)


def test_the_waveform_comes_back(clips) -> None:
    tone = clips.tone(3)
    sound = heard(clips.make("plain.wav", None, tone, audio_codec="pcm_s16le"))
    assert sound.sample_rate == 16_000
    assert sound.starts == (0,)
    assert sound.lengths == (48_000,)
    np.testing.assert_allclose(sound.waveform, tone, atol=1e-4)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_other_rates_are_resampled(clips, rate: int) -> None:
    path = clips.make(
        f"rate{rate}.wav", None, clips.tone(2, rate=rate), sample_rate=rate, audio_codec="pcm_s16le"
    )
    sound = heard(path)
    assert len(sound.waveform) == pytest.approx(32_000, abs=40)
    spectrum = np.abs(np.fft.rfft(sound.waveform[4000:20_000]))
    assert spectrum.argmax() == pytest.approx(440, abs=1)


def test_channels_are_mixed(clips) -> None:
    path = clips.folder / "stereo.wav"
    left, right = clips.tone(1, 300), clips.tone(1, 1000)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16_000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.stack([left, right]), format="fltp", layout="stereo")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    spectrum = np.abs(np.fft.rfft(heard(path).waveform))
    assert sorted(np.argsort(spectrum)[-2:]) == [300, 1000]


FORMATS: list[tuple[str, dict[str, Any]]] = [
    (".mp4", {}),
    (".mkv", {}),
    (".ts", {}),
    (".flv", {}),
    (".aac", {}),
    (".wav", {"audio_codec": "pcm_s16le"}),
    (".flac", {"audio_codec": "flac"}),
    (".mp3", {"audio_codec": "libmp3lame"}),
    (".ogg", {"audio_codec": "libopus"}),
    (".webm", {"audio_codec": "libopus"}),
    (".mpg", {"audio_codec": "mp2"}),
]


@pytest.mark.parametrize(("suffix", "how"), FORMATS)
def test_windows_lie_where_they_say(clips, suffix: str, how: dict[str, Any]) -> None:
    path = clips.make(f"stairs{suffix}", None, staircase(12), **how)
    sound = heard(path, WINDOWS)
    # Raw AAC and MP3 have no index: where a seek lands in them is estimated from the bit rate.
    slack = 0.5 if suffix in (".aac", ".mp3") else 0.15
    assert sound.starts == pytest.approx([1.25, 4.25, 7.25, 10.25], abs=slack)
    assert sound.lengths == (8000,) * 4
    for start, window in zip(sound.starts, np.split(sound.waveform, 4), strict=True):
        steps = (loudness(window) * 121).round()
        expected = np.floor(start * 10 + np.arange(5) + 0.5) + 1
        assert np.abs(steps - expected).max() <= 10 * slack + 1


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".flv", ".mpg", ".avi"])
def test_frames_read_before_leave_the_sound_whole(clips, suffix: str) -> None:
    how: dict[str, Any] = {"video_options": {"g": "50", "bf": "2", "preset": "veryfast"}}
    if suffix in (".mpg", ".avi"):
        how = {"video_codec": "mpeg4" if suffix == ".avi" else "mpeg2video", "audio_codec": "mp2"}
    path = clips.make(f"both{suffix}", clips.paint(150), staircase(6), **how)
    alone = heard(path)
    after = heard(path, frames=FrameRequest(resize=64, crop=64))
    assert after.starts == pytest.approx(alone.starts, abs=0.03)
    assert after.lengths[0] == pytest.approx(alone.lengths[0], abs=1600)
    np.testing.assert_allclose(loudness(after.waveform), loudness(alone.waveform), atol=0.05)


def test_sound_of_unknown_duration_is_cut(clips) -> None:
    path = clips.make("live.mkv", None, clips.tone(8), container_options={"live": "1"})
    assert len(heard(path, WINDOWS).waveform) == 2 * 16_000


def test_numbers_that_are_none_become_silence(clips) -> None:
    tone = clips.tone(1)
    tone[4000:4100], tone[5000], tone[6000] = np.nan, np.inf, -7
    waveform = heard(clips.make("nan.wav", None, tone, audio_codec="pcm_f32le")).waveform
    assert np.isfinite(waveform).all()
    assert np.abs(waveform).max() <= 1
    assert not waveform[4000:4100].any()


def test_a_rate_that_no_recording_has_is_refused_before_it_takes_memory(clips, tmp_path) -> None:
    data = bytearray(clips.make("fast.wav", None, clips.tone(1), audio_codec="pcm_s16le").read_bytes())
    at = data.index(b"fmt ") + 12  # the rate, and after it the bytes a second
    data[at : at + 8] = (2_130_722_432).to_bytes(4, "little") + (4_261_444_864).to_bytes(4, "little")
    path = tmp_path / "fast.wav"
    path.write_bytes(data)
    with pytest.raises(MediaError, match="claims 2130722432 samples of sound a second"):
        heard(path)


def test_pictures_alone_have_no_sound(clips) -> None:
    path = clips.make("mute.mp4", clips.paint(10))
    assert decode(path, DecodeRequest(FrameRequest(), SoundRequest()), MediaSettings()).sound is None
    with pytest.raises(MediaError, match="holds pictures but no sound") as caught:
        decode(path, DecodeRequest(sound=SoundRequest()), MediaSettings())
    assert caught.value.cause == "no-streams"
