"""Lines of text files as they come from other people's machines: encodings, line ends, stray bytes, endless lines."""

from __future__ import annotations

import codecs
import os
import stat
from collections.abc import Iterator

from tagtower.storage.rows import BadRows

MAX_LINE_CHARACTERS = 1 << 24
"""A row of 16 million characters is no row; it is skipped without being held in memory."""

_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def is_folder(bad: BadRows) -> bool:
    """Return whether the path is a folder.

    Raises:
        InputError: there is nothing, or it cannot be looked at; its kind is `bad.error`.
    """
    return stat.S_ISDIR(_look(bad).st_mode)


def check_is_file(bad: BadRows) -> None:
    """Return if the file is there and holds something.

    Raises:
        InputError: it is missing, empty, a folder or a device; its kind is `bad.error`.
    """
    found = _look(bad)
    if stat.S_ISDIR(found.st_mode):
        raise bad.failure("is a folder, where a file is wanted.")
    if not stat.S_ISREG(found.st_mode):
        raise bad.failure("is no regular file.")
    if not found.st_size:
        raise bad.failure("is empty.")


def text_lines(bad: BadRows) -> Iterator[tuple[int, str]]:
    r"""Yield the lines of `bad.path`, blank ones too, with their 1-based number and without their ends.

    UTF-8, or UTF-16 where the file begins with its byte order mark; `\n`, `\r\n` and `\r` end a line. Lines that
    are too long, hold NUL bytes or are no UTF-8 are added to `bad`.

    Raises:
        InputError: the file is missing, empty, a folder, or cannot be read; its kind is `bad.error`.
    """
    check_is_file(bad)
    try:
        yield from _sound_lines(bad)
    except UnicodeDecodeError as fault:
        raise bad.failure(
            f"is no {fault.encoding} text ({fault.reason}).", hint="Save it as UTF-8."
        ) from fault
    except OSError as fault:
        raise bad.failure(f"cannot be read: {fault.strerror or fault}.") from fault


def _look(bad: BadRows) -> os.stat_result:
    try:
        return bad.path.stat()
    except FileNotFoundError:
        raise bad.failure("there is no such file.", hint="Check the path.") from None
    except (OSError, ValueError) as fault:
        raise bad.failure(f"cannot be read: {fault}.") from fault


def _sound_lines(bad: BadRows) -> Iterator[tuple[int, str]]:
    for line, text in _numbered(bad):
        if len(text) > MAX_LINE_CHARACTERS:
            bad.add(line, f"a line of more than {MAX_LINE_CHARACTERS:,} characters; is this a text file?")
        elif "\0" in text:
            bad.add(line, "the line holds NUL bytes; is this a text file?")
        elif not text.isascii() and (place := _first_stray_byte(text)) is not None:
            stray = ord(text[place]) - 0xDC00
            bad.add(line, f"no UTF-8: byte 0x{stray:02X} at column {place + 1}; save the file as UTF-8")
        else:
            yield line, text


def _numbered(bad: BadRows) -> Iterator[tuple[int, str]]:
    """Yield every line with its number; of one that is too long only the beginning, and its rest is skipped."""
    with bad.path.open("rb") as head:
        mark = head.read(3)
    encoding = next((name for start, name in _MARKS.items() if mark.startswith(start)), "utf-8")
    strays = "surrogateescape" if encoding.startswith("utf-8") else "strict"
    with bad.path.open(encoding=encoding, errors=strays) as stream:
        line = 0
        while text := stream.readline(MAX_LINE_CHARACTERS + 1):
            line += 1
            ended = text.endswith("\n")
            while not ended and (rest := stream.readline(MAX_LINE_CHARACTERS)):
                ended = rest.endswith("\n")
            yield line, text.removesuffix("\n")


def _first_stray_byte(text: str) -> int | None:
    """The place of the first byte that is no UTF-8; `surrogateescape` has read it as U+DC80 to U+DCFF."""
    try:
        text.encode()
    except UnicodeEncodeError as fault:
        return fault.start
    return None
