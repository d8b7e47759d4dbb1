"""What PyAV raises on files that it cannot read, turned into one exception with the reason in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import av

_RAISED_BY_PYAV: tuple[type[Exception], ...] = (
    av.FFmpegError,
    # These escape from PyAV on damaged files as well.
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
)


class DecodingError(Exception):
    """Something in a file cannot be decoded; the message says why."""


@contextmanager
def pyav_calls() -> Iterator[None]:
    """Turn what PyAV raises inside into a `DecodingError`. Keep it close around PyAV: our own bugs are to stay bugs.

    Raises:
        DecodingError: PyAV gave up.
        MemoryError: memory is at its limit; never taken for damage.
    """
    try:
        yield
    except MemoryError:
        raise
    except _RAISED_BY_PYAV as error:
        raise DecodingError(_reason(error)) from error


def _reason(error: Exception) -> str:
    match error:
        case av.error.InvalidDataError():
            return "the data are invalid"
        case EOFError():
            return "the data end too early"
        case av.error.PatchWelcomeError() | NotImplementedError():
            return "a feature is used that FFmpeg does not support"
        case av.error.DecoderNotFoundError():
            return "there is no decoder for it"
        case OSError() if error.strerror:
            return f"the decoder stopped with: {error.strerror[0].lower()}{error.strerror[1:]}"
        case _:
            return f"the decoder stopped with {type(error).__name__}"
