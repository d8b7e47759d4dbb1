"""Which subtitle file in a folder belongs to which video: `NAME.srt`, or `NAME.en.vtt` as yt-dlp calls them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

SUFFIXES = (".srt", ".vtt")
"""In the order in which one is taken before the other."""

_MARK = re.compile(r"sdh|cc|hi|default|auto", re.IGNORECASE)
"""What may stand behind a language. `forced` may not: such a file holds what is said in other languages alone."""

_LANGUAGE = re.compile(r"[a-z]{2,3}(?:[-_][a-z0-9]+)*", re.IGNORECASE)


def subtitles_beside(names: Iterable[str], stems: Collection[str]) -> dict[str, str]:
    """Return the name of the subtitle file of each of `stems` that has one among `names`, the files of one folder.

    Of several it is the one without a language, then the spoken one (yt-dlp's `en-orig`), then English, then the first
    by name; SubRip before WebVTT.
    """
    best: dict[str, tuple[tuple[bool, bool, bool, str, int], str]] = {}
    for name in names:
        stem, dot, suffix = name.rpartition(".")
        kind = dot + suffix.lower()
        found = _owner(stem, stems) if kind in SUFFIXES else None
        if found is None:
            continue
        owner, language = found
        spoken, english = language.endswith("-orig"), re.match(r"en\b", language) is not None
        order = (language != "", not spoken, not english, language, SUFFIXES.index(kind))
        best[owner] = min((order, name), best.get(owner, (order, name)))
    return {owner: name for owner, (_, name) in best.items()}


def _owner(stem: str, stems: Collection[str]) -> tuple[str, str] | None:
    """The stem that a subtitle file belongs to, and its language; a stem that holds dots itself comes first."""
    if stem in stems:
        return stem, ""
    rest, _, last = stem.rpartition(".")
    if _MARK.fullmatch(last):
        if rest in stems:
            return rest, ""
        rest, _, last = rest.rpartition(".")
    if rest in stems and _LANGUAGE.fullmatch(last):
        return rest, last.replace("_", "-").lower()
    return None
