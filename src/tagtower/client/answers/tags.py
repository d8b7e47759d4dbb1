"""Tags, their history, and what became of changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tagtower.client.decoding import HEADER


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A tag of the library. `state` is `active`, `quarantined`, `retired` or `merged`; `version` is that of its last
    change, `heat` how hot a topic it is. `threshold` is the probability in [0, 1] from which on it is suggested.
    """

    id: int
    text: str
    aliases: tuple[str, ...]
    description: str | None
    language: str | None
    state: str
    merged_into: int | None
    origin: str
    created_at: datetime
    expires_at: datetime | None
    suggestable: bool
    threshold: float | None
    groups: tuple[str, ...]
    version: int
    heat: float
    heat_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TagPage:
    """Some tags; `total` counts the whole list, `version` is that of the library."""

    tags: tuple[Tag, ...]
    next: str | None
    total: int
    version: int

    @property
    def items(self) -> tuple[Tag, ...]:
        """The tags."""
        return self.tags


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedTag:
    """A tag that was merged into another."""

    id: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How many suggestions, verdicts and videos something touches."""

    suggestions: int
    verdicts: int
    videos: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A step of the library's history."""

    version: int
    at: datetime
    author: str
    kind: str
    summary: str
    undoes: int | None
    undone_by: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """A tag before and after a change of the history, as plain fields; None where it was not there."""

    id: int
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeDetail(Change):
    """A step with the tags that it touched, of a large one the first."""

    tags: tuple[Touched, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePage:
    """Some changes, the newest first."""

    changes: tuple[Change, ...]
    next: int | None

    @property
    def items(self) -> tuple[Change, ...]:
        """The changes."""
        return self.changes


@dataclass(frozen=True, slots=True, kw_only=True)
class TagDetail:
    """A tag, those that were merged into it, how far it reaches, and its last changes."""

    tag: Tag
    merged: tuple[MergedTag, ...]
    reach: Reach
    changes: tuple[Change, ...]
    etag: str | None = field(default=None, metadata={HEADER: "etag"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A tag before and after what was done just now; None where it was not, or is no more."""

    before: Tag | None
    after: Tag | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a change did, or with `dry_run` would do; `sweeps` counts tags that stored videos are searched for."""

    kind: str
    summary: str
    version: int | None
    dry_run: bool
    changed: bool
    tags: tuple[Edit, ...]
    reach: Reach
    sweeps: int
    etag: str | None = field(default=None, metadata={HEADER: "etag"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportProblem:
    """A row that was refused, or odd."""

    where: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """What became of the rows of a file of tags; the first `problems` are told, all are counted."""

    version: int | None
    made: int
    completed: int
    known: int
    refused: int
    sweeps: int
    dry_run: bool
    problem_count: int
    problems: tuple[ImportProblem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TagGroup:
    """A group, and how many tags it has."""

    name: str
    tags: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewLimit:
    """How near a video must be; `reason` says why there is no limit to judge by."""

    distance: float | None
    probability: float | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NearVideo:
    """A stored video that a tag would be suggested on."""

    video: int
    title: str | None
    distance: float
    score: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """On how many of the stored `videos` a tag would be suggested, the nearest first; `taken` is who has the name."""

    tag: str
    model: str
    library_version: int
    videos: int
    hits: int
    suggested: int
    limit: PreviewLimit
    nearest: tuple[NearVideo, ...]
    taken: str | None
