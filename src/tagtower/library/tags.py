"""The tag library as one immutable snapshot: which tags there are, in which order, and what else they are called."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import repeat
from typing import final

from tagtower.errors import TagLibraryError
from tagtower.records import Problems, Tag
from tagtower.storage.hashing import hash_json

MAX_TAG_CHARACTERS = 500
"""A longer text is a paragraph that strayed into the library; the encoder would read only its beginning."""

VERSION_DIGITS = 12


@final
@dataclass(frozen=True, slots=True)
class TagLibrary:
    """Tags in the order of their library; made by `from_tags`.

    `texts` are the tags as their owner wrote them and `version` is a hash of the whole content, 12 hex digits.
    No two tags, and no tag and alias, are equal after `normalize_tag`.
    """

    tags: tuple[Tag, ...]
    texts: tuple[str, ...]
    version: str
    _indices: Mapping[str, int] = field(repr=False, compare=False)

    @classmethod
    def from_tags(
        cls, tags: Iterable[Tag], problems: Problems | None = None, *, places: Iterable[str] | None = None
    ) -> TagLibrary:
        """Return the library of `tags`: equal tags merged, unusable ones left out, each counted in `problems`.

        Of equal tags the first gives spelling and place, the aliases are joined, and the later expiry counts. An
        alias that is a tag of its own, or belongs to an earlier tag, is dropped.

        Args:
            tags: in library order.
            problems: where to count what was wrong.
            places: where each tag stands (file and line), for the problems.
        Raises:
            TagLibraryError: no usable tag is left.
        """
        problems = Problems() if problems is None else problems
        merged: dict[str, Tag] = {}
        homes: dict[str, str] = {}
        for tag, place in zip(tags, repeat("") if places is None else places, strict=False):
            fault = tag_fault(tag.text)
            if fault is not None:
                problems.add(place, fault)
                continue
            key = normalize_tag(tag.text)
            if key in merged:
                problems.add(place, f"{tag.text!r} is the same tag as {merged[key].text!r}; they are merged")
                merged[key] = _merge(merged[key], tag)
            else:
                merged[key] = replace(tag, text=" ".join(tag.text.split()))
                homes[key] = place
        if not merged:
            raise TagLibraryError(
                "The tag library has no usable tag.", hint="Give it at least one tag, better two: one a line."
            )
        indices = {key: index for index, key in enumerate(merged)}
        kept = tuple(_claim_aliases(tag, indices, problems, homes[key]) for key, tag in merged.items())
        content = [[tag.text, list(tag.aliases), tag.description, _iso(tag.expires)] for tag in kept]
        return cls(kept, tuple(tag.text for tag in kept), hash_json(content)[:VERSION_DIGITS], indices)

    def __len__(self) -> int:
        return len(self.tags)

    def index_of(self, text: str) -> int | None:
        """Return the place of the tag that `text` names, as the tag or as one of its aliases; None if there is none."""
        return self.index_of_key(normalize_tag(text))

    def index_of_key(self, key: str) -> int | None:
        """Return the place of the tag that a text names which went through `normalize_tag` before."""
        return self._indices.get(key)

    def unexpired(self, now: datetime) -> TagLibrary:
        """Return the library without the tags that expired at or before `now`.

        Raises:
            TagLibraryError: every tag has expired.
        """
        return self.from_tags(
            tag for tag in self.tags if tag.expires is None or _utc(tag.expires) > _utc(now)
        )


def normalize_tag(text: str) -> str:
    """Return the form in which two spellings of a tag are equal: canonical Unicode, no case, single spaces.

    Source: The Unicode Standard, section 3.13, canonical caseless matching, composed at the end.
    """
    folded = text.lower() if text.isascii() else _fold(text)
    return " ".join(folded.split())


def tag_fault(text: str) -> str | None:
    """Return why `text` can be no tag, or None if it can."""
    if not text.strip():
        return "the tag is blank"
    if len(text) > MAX_TAG_CHARACTERS:
        return f"a tag of {len(text):,} characters ({text[:40]!r} ...); at most {MAX_TAG_CHARACTERS} are read"
    if not text.isprintable() and any(
        unicodedata.category(character) in ("Cc", "Cs") for character in text if character not in "\t\r\n"
    ):
        return f"the tag {text[:40]!r} holds control characters"
    return None


def _fold(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())


def _merge(first: Tag, second: Tag) -> Tag:
    expiries = [tag.expires for tag in (first, second) if tag.expires is not None]
    return Tag(
        text=first.text,
        aliases=first.aliases + second.aliases,
        description=first.description or second.description,
        expires=max(expiries, key=_utc) if len(expiries) == 2 else None,
    )


def _claim_aliases(tag: Tag, indices: dict[str, int], problems: Problems, place: str) -> Tag:
    """Return the tag with the aliases that lead to it and no other, and enter those into `indices`."""
    own = indices[normalize_tag(tag.text)]
    claimed: list[str] = []
    for alias in tag.aliases:
        fault = tag_fault(alias)
        key = normalize_tag(alias)
        if fault is not None:
            problems.add(place, f"alias of {tag.text!r}: {fault}")
        elif key not in indices:
            indices[key] = own
            claimed.append(" ".join(alias.split()))
        elif indices[key] != own:
            problems.add(place, f"the alias {alias!r} of {tag.text!r} is dropped: another tag has that name")
    return replace(tag, aliases=tuple(claimed))


def _utc(moment: datetime) -> datetime:
    """A time without a zone is read as UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else _utc(moment).isoformat()
