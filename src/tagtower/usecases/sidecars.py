"""Tags in files that media centres and photo managers read: Kodi's .nfo and Adobe's XMP.

Knows where such a file goes and whose it is; a file that TagTower did not write is never touched.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias, get_args
from xml.sax.saxutils import escape

from tagtower.errors import StorageError, UsageError
from tagtower.records import Video
from tagtower.storage.atomic import LONGEST_NAME, NO_ROOM, write_text

Kind: TypeAlias = Literal["nfo", "xmp"]

NFO_MARK = "<!-- Written by TagTower, which may replace it; take this line out to keep your own changes. -->"
XMP_MARK = 'x:xmptk="TagTower"'
_MARKS = tuple(mark.encode() for mark in (NFO_MARK, XMP_MARK))
_MARK_WITHIN = 1024
"""Bytes at the beginning of a file where its mark stands."""

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Source: W3C, "Extensible Markup Language (XML) 1.0" (fifth edition, 2008), section 2.2."""


def parse_kinds(name: str) -> tuple[Kind, ...]:
    """Return the kinds that a person asks for: nfo, xmp or both.

    Raises:
        UsageError: it is none of these.
    """
    kinds: tuple[Kind, ...] = get_args(Kind)
    if name == "both":
        return kinds
    for kind in kinds:
        if name == kind:
            return (kind,)
    raise UsageError(f"--sidecars {name}: there is no such kind.", hint="Choose nfo, xmp or both.")


def nfo(title: str, tags: Sequence[str]) -> str:
    """Return a Kodi movie file.

    Source: the Kodi wiki, "NFO files/Movies".
    """
    lines = [f"  <tag>{_text(tag)}</tag>" for tag in tags]
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>',
            NFO_MARK,
            "<movie>",
            f"  <title>{_text(title)}</title>",
            *lines,
            "</movie>",
            "",
        ]
    )


def xmp(title: str, tags: Sequence[str]) -> str:
    """Return an XMP packet: the title, and the tags as the bag `dc:subject`.

    Source: ISO 16684-1:2019, "Extensible metadata platform (XMP)", sections 7 and 8.3.
    """
    items = [f"     <rdf:li>{_text(tag)}</rdf:li>" for tag in tags]
    return "\n".join(
        [
            '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>',
            f'<x:xmpmeta xmlns:x="adobe:ns:meta/" {XMP_MARK}>',
            ' <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">',
            '  <rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">',
            f'   <dc:title><rdf:Alt><rdf:li xml:lang="x-default">{_text(title)}</rdf:li></rdf:Alt></dc:title>',
            "   <dc:subject>",
            "    <rdf:Bag>",
            *items,
            "    </rdf:Bag>",
            "   </dc:subject>",
            "  </rdf:Description>",
            " </rdf:RDF>",
            "</x:xmpmeta>",
            '<?xpacket end="w"?>',
            "",
        ]
    )


_WRITERS: dict[Kind, Callable[[str, Sequence[str]], str]] = {"nfo": nfo, "xmp": xmp}


def sidecar_places(
    videos: Iterable[Video], kinds: Sequence[Kind], root: Path, mirror: Path | None
) -> dict[str, dict[Kind, Path]]:
    """Return where the sidecars of each video go, by id: beside the media, or below `mirror` as in `root`.

    An .nfo has the name of the media without its suffix, as Kodi wants it; where two files share that, the later
    one's keeps the suffix. An .xmp always does. Videos without media on this machine, or outside of `root` where
    there is a `mirror`, have no place.
    """
    places: dict[str, dict[Kind, Path]] = {}
    taken: set[Path] = set()
    for video in videos:
        if video.media is None or "://" in video.media:
            continue
        media = Path(os.path.normpath(video.media))  # `..` may not lead out of the mirror
        if mirror is not None:
            if not media.is_relative_to(root):
                continue
            media = mirror / media.relative_to(root)
        own: dict[Kind, Path] = {}
        for kind in kinds:
            plain, full = media.with_suffix(f".{kind}"), media.with_name(f"{media.name}.{kind}")
            own[kind] = full if kind == "xmp" or plain in taken else plain
            taken.add(own[kind])
        places[video.id] = own
    return places


def write_sidecars(places: Mapping[Kind, Path], title: str, tags: Sequence[str]) -> dict[Path, str | None]:
    """Write a video's sidecars; return for each None, or why it was refused.

    Raises:
        StorageError: the disk is full.
    """
    done: dict[Path, str | None] = {}
    for kind, path in places.items():
        done[path] = _refusal(path)
        if done[path] is None:
            try:
                write_text(path, _WRITERS[kind](title, tags))
            except StorageError as error:
                if isinstance(error.__cause__, OSError) and error.__cause__.errno in NO_ROOM:
                    raise
                done[path] = "its folder may not be written to"
    return done


def _refusal(path: Path) -> str | None:
    if len(os.fsencode(path.name)) > LONGEST_NAME:
        return "its name would be too long for the disk"
    if not os.path.lexists(path):
        return None
    try:
        with path.open("rb") as stream:
            head = stream.read(_MARK_WITHIN)
    except OSError:
        return "something that cannot be read stands there"
    if not any(mark in head for mark in _MARKS):
        return "a file that TagTower did not write stands there"
    return "a link stands there" if path.is_symlink() else None


def _text(text: str) -> str:
    """Text on one line that any XML parser takes; what XML cannot hold is dropped."""
    return escape(" ".join(_NO_XML.sub("", text).split()))
