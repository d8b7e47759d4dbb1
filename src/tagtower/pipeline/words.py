"""What is written about a video, field by field, as text: subtitles come out of their file here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tagtower.features.subtitles import names_subtitle_file, parse_subtitles, read_subtitles
from tagtower.records import TextField, Video

MAX_CHARACTERS = 200_000
"""Of one field; about ten hours of speech are longer, and no encoder reads as far."""


@dataclass(frozen=True, slots=True)
class Words:
    """The texts of a video by field, only those that say something, and what was wrong with their files."""

    texts: dict[TextField, str]
    problems: tuple[str, ...] = ()


def words_of(video: Video, fields: Iterable[TextField]) -> Words:
    """Return what a video has of `fields`. Subtitles that cannot be read are a problem, and the video does without."""
    texts: dict[TextField, str] = {}
    problems: tuple[str, ...] = ()
    for field in fields:
        written = getattr(video, field)
        if field == "subtitles" and written:
            written, problems = _spoken(written)
        text = written.strip()[:MAX_CHARACTERS] if written else ""
        if text:
            texts[field] = text
    return Words(texts, problems)


def _spoken(written: str) -> tuple[str, tuple[str, ...]]:
    if not names_subtitle_file(written):
        return (parse_subtitles(written).text if "-->" in written else written), ()
    found = read_subtitles(written)
    return found.text, tuple(
        f"{written}:{fault.line}: {fault.what}" if fault.line else f"{written}: {fault.what}"
        for fault in found.faults
    )
