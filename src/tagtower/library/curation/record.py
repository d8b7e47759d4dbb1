"""A tag with everything that a person or a feed may say of it, and what can be said at all."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias, get_args

from tagtower.errors import TagLibraryError
from tagtower.library.tags import normalize_tag, tag_fault
from tagtower.storage.rows import shorten, text_fault

TagState: TypeAlias = Literal["active", "retired", "quarantined", "merged"]
TAG_STATES: tuple[TagState, ...] = get_args(TagState)

UNKNOWN_TIME = datetime(1970, 1, 1, tzinfo=UTC)

MAX_DESCRIPTION_CHARACTERS = 10_000
MAX_GROUP_CHARACTERS = 200
LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
"""BCP 47 in outline; whether there is such a language nobody checks."""


@dataclass(frozen=True, slots=True)
class TagRecord:
    """A tag as the library keeps it. Two are equal if they say the same, whichever change made them and however hot.

    `id` is 0 for a tag that is not in the library yet. `aliases` are in the order of their adding, and empty for a
    merged tag: its names belong to the tag `merged_into`. `version` is the number of the last change that touched it.
    """

    id: int
    text: str
    aliases: tuple[str, ...] = ()
    description: str | None = None
    language: str | None = None
    state: TagState = "active"
    merged_into: int | None = None
    origin: str = "person"
    created_at: datetime = UNKNOWN_TIME
    expires_at: datetime | None = None
    suggestable: bool = True
    threshold: float | None = None
    groups: tuple[str, ...] = ()
    version: int = field(default=0, compare=False)
    heat: float = field(default=0.0, compare=False)
    heat_at: datetime | None = field(default=None, compare=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Every text that leads to this tag, its own first; none for a merged tag."""
        return () if self.state == "merged" else (self.text, *self.aliases)

    def called(self, key: str) -> bool:
        """Return whether the normalized text `key` is one of its names."""
        return any(normalize_tag(name) == key for name in self.names)

    def expired(self, now: datetime) -> bool:
        """Return whether it has expired at `now`."""
        return self.expires_at is not None and self.expires_at <= now

    def to_image(self) -> dict[str, Any]:
        """Return what the history keeps of it: everything that makes two records equal, but its number."""
        return {
            "text": self.text,
            "aliases": list(self.aliases),
            "description": self.description,
            "language": self.language,
            "state": self.state,
            "merged_into": self.merged_into,
            "origin": self.origin,
            "created_at": self.created_at.isoformat(),
            "expires_at": None if self.expires_at is None else self.expires_at.isoformat(),
            "suggestable": self.suggestable,
            "threshold": self.threshold,
            "groups": list(self.groups),
        }

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        heat_at = None if self.heat_at is None else self.heat_at.isoformat()
        return {
            "id": self.id,
            **self.to_image(),
            "version": self.version,
            "heat": self.heat,
            "heat_at": heat_at,
        }

    @classmethod
    def from_image(cls, tag_id: int, image: Mapping[str, Any]) -> TagRecord:
        """Return the tag that `to_image` wrote down."""
        expires = image["expires_at"]
        return cls(
            id=tag_id,
            text=image["text"],
            aliases=tuple(image["aliases"]),
            description=image["description"],
            language=image["language"],
            state=image["state"],
            merged_into=image["merged_into"],
            origin=image["origin"],
            created_at=datetime.fromisoformat(image["created_at"]),
            expires_at=None if expires is None else datetime.fromisoformat(expires),
            suggestable=image["suggestable"],
            threshold=image["threshold"],
            groups=tuple(image["groups"]),
        )


def clean_name(text: str) -> str:
    """Return the name of a tag as it is kept: composed Unicode, single spaces.

    Raises:
        TagLibraryError: it can be no tag.
    """
    fault = tag_fault(text)
    if fault is not None:
        raise TagLibraryError(
            f"This can be no tag: {fault}.", hint="Give a short text of visible characters."
        )
    return unicodedata.normalize("NFC", " ".join(text.split()))


def with_aliases(record: TagRecord, aliases: Iterable[str]) -> TagRecord:
    """Return the record with those of `aliases` that are no spelling of its own text, each once, as they are kept.

    Raises:
        TagLibraryError: one can be no tag.
    """
    taken = {normalize_tag(record.text)}
    kept: list[str] = []
    for alias in map(clean_name, aliases):
        key = normalize_tag(alias)
        if key not in taken:
            taken.add(key)
            kept.append(alias)
    return replace(record, aliases=tuple(kept))


def clean_description(text: str | None) -> str | None:
    """Return a description as it is kept, None where it is blank.

    Raises:
        TagLibraryError: it holds characters that cannot be kept, or is too long.
    """
    if text is None or not text.strip():
        return None
    fault = text_fault(text)
    if fault is not None:
        raise TagLibraryError(f"The description {fault}.", hint="Give plain text.")
    if len(text) > MAX_DESCRIPTION_CHARACTERS:
        raise TagLibraryError(
            f"The description has {len(text):,} characters.",
            hint=f"Give at most {MAX_DESCRIPTION_CHARACTERS:,}: a sentence or two help most.",
        )
    return unicodedata.normalize("NFC", text.strip())


def clean_language(text: str | None) -> str | None:
    """Return a language tag as it is kept, None where it is blank.

    Raises:
        TagLibraryError: it is none.
    """
    if text is None or not text.strip():
        return None
    if len(text.strip()) > 35 or not LANGUAGE.fullmatch(text.strip()):
        raise TagLibraryError(
            f"{shorten(text)} is no language.", hint="Give a BCP 47 tag, such as en, de-AT or zh-Hant."
        )
    return text.strip()


def clean_groups(names: Iterable[str]) -> tuple[str, ...]:
    """Return names of groups as they are kept, each once, sorted.

    Raises:
        TagLibraryError: one is blank, too long, or holds control characters.
    """
    kept = set()
    for name in names:
        fault = tag_fault(name)
        if fault is not None or len(name) > MAX_GROUP_CHARACTERS:
            raise TagLibraryError(
                f"{shorten(name)} can be no group of tags.",
                hint=f"Give a name of at most {MAX_GROUP_CHARACTERS} visible characters.",
            )
        kept.add(unicodedata.normalize("NFC", " ".join(name.split())))
    return tuple(sorted(kept))


def check_threshold(threshold: float | None) -> float | None:
    """Return a threshold that can be one.

    Raises:
        TagLibraryError: it is not in [0, 1].
    """
    if threshold is not None and not (math.isfinite(threshold) and 0 <= threshold <= 1):
        raise TagLibraryError(
            f"The threshold {threshold:g} is no probability.",
            hint="Give a number from 0 to 1, or none for the model's own.",
        )
    return threshold
