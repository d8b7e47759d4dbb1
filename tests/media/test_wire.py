from __future__ import annotations

import io
import json
import struct

import numpy as np
import pytest

from tagtower.config.sections import MediaSettings
from tagtower.errors import MediaError
from tagtower.media.records import (
    DecodedMedia,
    DecodeRequest,
    FrameRequest,
    FrameSample,
    MediaInfo,
    Sound,
    SoundRequest,
)
from tagtower.media.wire import (
    BrokenMessageError,
    pack_error,
    pack_media,
    pack_task,
    read_message,
    unpack_error,
    unpack_media,
    unpack_task,
    write_message,
)

INFO = MediaInfo("ä.mp4", 2.5, 96, 64, 90, 25.0, "h264", "aac", 16_000, "Titel", True, True)
SAMPLE = FrameSample(np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3), np.array([0.5, 1.5]))
SOUND = Sound(np.linspace(-1, 1, 50, dtype=np.float32), 16_000, (0.0, 1.0), (30, 20))


def sent(header: dict, arrays: list[np.ndarray] | None = None) -> io.BytesIO:
    stream = io.BytesIO()
    write_message(stream, header, arrays)
    return io.BytesIO(stream.getvalue())


@pytest.mark.parametrize("sound", [SOUND, None])
@pytest.mark.parametrize("frames", [(), (SAMPLE,), (SAMPLE, SAMPLE)])
def test_media_survive_the_journey(frames: tuple[FrameSample, ...], sound: Sound | None) -> None:
    message = read_message(sent(*pack_media(DecodedMedia(INFO, frames, sound, ("a warning",)))), 1 << 20)
    assert message is not None
    media = unpack_media(*message)
    assert (media.info, media.warnings) == (INFO, ("a warning",))
    assert len(media.frames) == len(frames)
    for got, given in zip(media.frames, frames, strict=True):
        np.testing.assert_array_equal(got.frames, given.frames)
        np.testing.assert_array_equal(got.seconds, given.seconds)
    assert (media.sound is None) == (sound is None)
    if media.sound is not None:
        np.testing.assert_array_equal(media.sound.waveform, SOUND.waveform)
        assert (media.sound.starts, media.sound.lengths) == (SOUND.starts, SOUND.lengths)


@pytest.mark.parametrize(
    "request_", [DecodeRequest(), DecodeRequest(FrameRequest(draws=(None, 0, 3)), SoundRequest(windows=2))]
)
def test_tasks_survive_the_journey(request_: DecodeRequest) -> None:
    limits = MediaSettings(max_streams=7)
    message = read_message(sent(pack_task("a b.mp4", request_, limits)), 0)
    assert message is not None
    assert unpack_task(message[0]) == ("a b.mp4", request_, limits)


def test_errors_survive_the_journey() -> None:
    message = read_message(
        sent(pack_error(MediaError("a.mp4", "damaged", "is damaged", hint="Leave it."))), 0
    )
    assert message is not None
    error = unpack_error(message[0])
    assert (error.path, error.cause, error.hint) == ("a.mp4", "damaged", "Leave it.")


def test_the_end_between_messages_is_no_failure() -> None:
    assert read_message(io.BytesIO(), 0) is None


def test_a_message_that_breaks_off_is_noticed() -> None:
    whole = sent(*pack_media(DecodedMedia(INFO, (SAMPLE,), SOUND))).getvalue()
    for length in range(1, len(whole), 7):
        with pytest.raises(BrokenMessageError):
            read_message(io.BytesIO(whole[:length]), 1 << 20)


@pytest.mark.parametrize(
    "listed",
    [
        {"dtype": "object", "shape": [1]},
        {"dtype": "uint8", "shape": [1 << 40]},
        {"dtype": "uint8", "shape": [-1, -5]},
        {"dtype": "uint8", "shape": "what"},
        {"shape": [1]},
        "nothing",
    ],
)
def test_arrays_that_cannot_be_are_refused(listed: object) -> None:
    header = json.dumps({"arrays": [listed]}).encode()
    with pytest.raises(BrokenMessageError):
        read_message(io.BytesIO(struct.pack("<I", len(header)) + header + b"\0" * 100), 1 << 20)


@pytest.mark.parametrize("noise", [b"\xff" * 100, b"\x04\0\0\0nope", b"\x02\0\0\0[]", b"\x02\0\0\0{}"])
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(BrokenMessageError):
        read_message(io.BytesIO(noise), 1 << 20)


def test_a_header_without_its_arrays_is_refused() -> None:
    header, _ = pack_media(DecodedMedia(INFO, (SAMPLE,), SOUND))
    with pytest.raises(BrokenMessageError):
        unpack_media(header, [SAMPLE.frames, SAMPLE.frames])
