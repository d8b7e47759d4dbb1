"""What PyAV raises on files it cannot read, and what that means in plain words."""

from __future__ import annotations

import av

PYAV_FAILURES: tuple[type[Exception], ...] = (
    av.FFmpegError,
    # Measured on damaged files: these escape from PyAV as well.
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""Every exception that a damaged file was seen to raise; memory is told apart."""


def reason(error: BaseException) -> str:
    """The error in plain words, without numbers that only FFmpeg knows."""
    match error:
        case av.error.InvalidDataError():
            return "its data are invalid"
        case EOFError():
            return "it ends too early"
        case av.error.PatchWelcomeError() | NotImplementedError():
            return "it uses a feature that FFmpeg does not support"
        case av.error.DecoderNotFoundError():
            return "there is no decoder for it"
        case UnicodeDecodeError():
            return "its metadata are no text"
        case OSError() if error.strerror:
            return f"the decoder stopped: {error.strerror[0].lower()}{error.strerror[1:]}"
        case _:
            return f"the decoder stopped: {type(error).__name__}"
