"""Subtitles, SubRip (.srt) or WebVTT (.vtt), as the words that are spoken, once each and in order.

Knows the marks that files in the wild carry: numbers, times, tags, speakers, entities, and the rolling lines of
automatic captions, which show every line two or three times. Libraries give cues; what is said here of encodings,
repeated lines and the line of a fault would be left to do.
"""

from __future__ import annotations

import codecs
import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

MAX_BYTES = 4 << 20
"""Subtitles of ten hours take about 1 MiB; more is no subtitle file."""

SUFFIXES = (".srt", ".vtt", ".txt")
"""What is read; `.txt` is taken as it is where it holds no times."""

_FILE = re.compile(r"[^\r\n]{1,1000}\.(srt|vtt|ass|ssa|sbv|lrc|ttml|txt)", re.IGNORECASE)
_TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_TIMES = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(\s.*)?")
_NO_CUE = re.compile(r"(WEBVTT|NOTE|STYLE|REGION)(\s.*)?")
_TAG = re.compile(r"</?(?:i|b|u|s|c|v|font|ruby|rt|lang|[\d:.]+)(?:[\s.][^<>]*)?/?>", re.IGNORECASE)
_STYLE = re.compile(r"\{\\[^{}]*\}")
_SPEAKER = re.compile(r"\s*(?:(?:>{2,}|[-‐–—])\s*)*(?:[A-Z][A-Z .'’-]{1,30}:(?=\s|$))?")
_UNSEEN = re.compile("[\u200b\u200e\u200f\u2060\ufeff♪♫]")

_TOUCHING = 0.1
"""Cues this close (seconds) may roll on; a line that is said again after a pause counts again."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong in a file: where (1-based, 0 for the file as a whole) and what."""

    line: int
    what: str


@dataclass(frozen=True, slots=True)
class Subtitles:
    """The words of a file on one line, and what was wrong with it; what could be read is there all the same."""

    text: str
    faults: tuple[Fault, ...] = ()


@dataclass(slots=True)
class _Cue:
    start: float
    end: float
    lines: list[str] = field(default_factory=list)


def names_subtitle_file(written: str) -> bool:
    """Return whether `written` is the name of a subtitle file, one line that ends like one, and not their text."""
    return _FILE.fullmatch(written) is not None


def read_subtitles(path: str | Path) -> Subtitles:
    """Return the words of a subtitle file. Never raises for what the file is or holds: that is a fault."""
    file = Path(path)
    if file.suffix.lower() not in SUFFIXES:
        return Subtitles("", (Fault(0, f"{file.suffix} is not read; give SubRip (.srt) or WebVTT (.vtt)"),))
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read: {error}"
        return Subtitles("", (Fault(0, reason),))
    if len(data) > MAX_BYTES:
        return Subtitles("", (Fault(0, f"is larger than {MAX_BYTES:,} bytes"),))
    return parse_subtitles(decode_text(data), plain=file.suffix.lower() == ".txt")


def decode_text(data: bytes) -> str:
    """Return text of unknown encoding: by its byte order mark, else UTF-16 where every other byte is zero, else UTF-8,
    else Windows-1252, which reads Latin-1 as well."""
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    head = data[:1000]
    for odd, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(head) >= 4 and head[odd::2].count(0) > 0.4 * len(head[odd::2]):
            return data.decode(encoding, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def parse_subtitles(document: str, *, plain: bool = False) -> Subtitles:
    """Return the words of a document in SubRip or WebVTT.

    A line that should say when but does not is a fault, and its cue is lost; so is a document without cues, unless it
    may be `plain` text.
    """
    faults: list[Fault] = []
    cues = list(_cues(document.splitlines(), faults))
    if not cues and not faults:
        if plain:
            return Subtitles(" ".join(_words([document])))
        if document.strip():
            faults.append(
                Fault(1, "holds no cue: no line says from when to when (00:00:01,000 --> 00:00:02,000)")
            )
    return Subtitles(" ".join(_said_once(cues)), tuple(faults))


def _cues(lines: Sequence[str], faults: list[Fault]) -> Iterator[_Cue]:
    """Yield the cues in order with their lines as written."""
    cue: _Cue | None = None
    skipping = False
    for number, line in enumerate(lines):
        times = _TIMES.fullmatch(line)
        if times is not None:
            if cue is not None:
                yield cue
            cue = _Cue(*_seconds(times.groups()))
            skipping = False
        elif "-->" in line:
            faults.append(Fault(number + 1, f"is no time from when to when: {line.strip()[:60]!r}"))
            if cue is not None:
                yield cue
            cue, skipping = None, True
        elif not line.strip():
            skipping = False
        elif (number == 0 or not lines[number - 1].strip()) and _NO_CUE.fullmatch(line):
            skipping = True  # a block of WebVTT that is no cue, up to the next blank line
        elif cue is not None and not skipping and not _is_name(lines, number):
            cue.lines.append(line)
    if cue is not None:
        yield cue


def _is_name(lines: Sequence[str], number: int) -> bool:
    """Whether a line is the number of the cue that follows, or its name behind a blank line."""
    if number + 1 == len(lines) or "-->" not in lines[number + 1]:
        return False
    return lines[number].strip().isdigit() or not lines[number - 1].strip()


def _seconds(groups: tuple[str | None, ...]) -> tuple[float, float]:
    hours, minutes, seconds, fraction = range(4)

    def at(first: int) -> float:
        part = [groups[first + place] or "0" for place in (hours, minutes, seconds, fraction)]
        return int(part[0]) * 3600 + int(part[1]) * 60 + int(part[2]) + float(f"0.{part[3]}")

    return at(0), at(4)


def _said_once(cues: Sequence[_Cue]) -> Iterator[str]:
    """Yield the lines of the cues, without those at the head of a cue that the cue before still showed."""
    shown: list[str] = []
    ended = 0.0
    for cue in cues:
        lines = _words(cue.lines)
        if not lines:
            continue
        known = _overlap(shown, lines) if cue.start - ended <= _TOUCHING else 0
        fresh = lines[known:]
        if known == 0 and shown and cue.start - ended <= _TOUCHING and lines[0].startswith(shown[-1] + " "):
            fresh = [lines[0].removeprefix(shown[-1]).strip(), *lines[1:]]  # a line that grows word by word
        yield from fresh
        shown, ended = lines, cue.end


def _overlap(before: Sequence[str], now: Sequence[str]) -> int:
    """How many lines at the head of `now` are the last of `before`."""
    return next(
        (
            count
            for count in range(min(len(before), len(now)), 0, -1)
            if list(before[-count:]) == list(now[:count])
        ),
        0,
    )


def _words(lines: Sequence[str]) -> list[str]:
    """The lines without marks, those that are empty then left out."""
    found = []
    for line in lines:
        bare = html.unescape(_TAG.sub("", _STYLE.sub("", line)))
        bare = _UNSEEN.sub("", bare).replace("\x00", "").replace("\\N", " ")
        found.append(" ".join(_SPEAKER.sub("", bare, count=1).split()))
    return [line for line in found if line]
