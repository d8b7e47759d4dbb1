"""Which tags of a library are named, word for word, in what is written about a video and around it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias, final

from tagtower.library.tags import TagLibrary
from tagtower.pipeline.words import words_of
from tagtower.ranking.mentions import MentionFinder
from tagtower.records import Example, MentionEvidence
from tagtower.training.manifest.titles import title_from_name

Place: TypeAlias = Literal["own tags", "title", "file name", "description", "folder", "subtitles"]
PLACES: tuple[Place, ...] = ("own tags", "title", "file name", "description", "folder", "subtitles")
"""Where a tag may be named, the most telling first: what is said in passing says least about the whole."""

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")


@final
class Mentions:
    """Finds tags by their names and aliases: whole words in their order, whatever their case, singular or plural."""

    def __init__(self, library: TagLibrary) -> None:
        self._finder = MentionFinder(library.tags)

    def find_in(self, texts: Mapping[Place, Sequence[str]]) -> dict[int, tuple[MentionEvidence, ...]]:
        """Return for each tag that is named its first mention in each place.

        The most telling tags come first, then by library order; the `field` of a mention is its place.
        """
        found: defaultdict[int, list[MentionEvidence]] = defaultdict(list)
        for place in PLACES:
            here: dict[int, str] = {}
            for text in texts.get(place, ()):
                for one in self._finder({"title": text}):
                    here.setdefault(one.tag, one.text)
            for tag, words in sorted(here.items()):
                found[tag].append(MentionEvidence(words, place))
        return {tag: tuple(mentions) for tag, mentions in found.items()}


def written_about(row: Example, root: Path) -> dict[Place, tuple[str, ...]]:
    """Return what is written about a video by its place; folders count from `root` down.

    A title that is only the file's name is no place of its own.
    """
    texts: dict[Place, tuple[str, ...]] = {}
    found = words_of(row.video, ("title", "description", "subtitles")).texts
    texts |= {field: (text,) for field, text in found.items()}
    if row.tags:
        texts["own tags"] = row.tags
    if row.video.media is None or "://" in row.video.media:
        return texts
    media = Path(row.video.media)
    name = title_from_name(media) or ""
    if texts.get("title") == (name,):
        del texts["title"]
    texts["file name"] = (_spaced(name),)
    if media.is_relative_to(root):
        texts["folder"] = tuple(_spaced(one) for one in media.relative_to(root).parts[:-1])
    return texts


def _spaced(name: str) -> str:
    """A file's name with its words apart: `RedFox2024` is three."""
    return " ".join(_CAMEL.split(name))
