"""The tag library as a person looks at it: lists with figures, one tag with its history, completion of names."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, or_, select

from tagtower.library.curation.committing import library_version
from tagtower.library.curation.history import Change, list_changes
from tagtower.library.curation.reading import (
    Order,
    TagFilter,
    count_tags,
    find,
    list_tags,
    merged_into,
)
from tagtower.library.curation.record import TagRecord
from tagtower.library.schema import suggestions, sweeps, tag_names, tags, verdicts
from tagtower.library.tags import normalize_tag
from tagtower.library.videos.shown import active_model_id
from tagtower.usecases.installation.home import Installation

COMPLETIONS = 12


@dataclass(frozen=True, slots=True)
class TagFigures:
    """On how many videos the active model suggests a tag, and how many verdicts persons gave, merged tags included."""

    suggested: int = 0
    accepted: int = 0
    added: int = 0
    rejected: int = 0

    @property
    def judged(self) -> int:
        """How many suggestions were judged."""
        return self.accepted + self.rejected

    @property
    def acceptance(self) -> float | None:
        """The share of the judged suggestions that were accepted, None where none was."""
        return self.accepted / self.judged if self.judged else None

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return {
            "suggested": self.suggested,
            "accepted": self.accepted,
            "added": self.added,
            "rejected": self.rejected,
            "acceptance": self.acceptance,
        }


@dataclass(frozen=True, slots=True)
class TagLine:
    """A tag in a list; `heat` is what it has cooled down to at this moment."""

    record: TagRecord
    figures: TagFigures
    heat: float


@dataclass(frozen=True, slots=True)
class TagPage:
    """Part of a list of tags; `next` is where it goes on, None at the end; `total` counts the whole list."""

    lines: tuple[TagLine, ...]
    next: str | None
    total: int
    version: int


@dataclass(frozen=True, slots=True)
class SweepState:
    """What the active model's sweep for a tag has come to: `done_at` is None while it is under way."""

    done_at: datetime | None
    hits: int | None


@dataclass(frozen=True, slots=True)
class TagShown:
    """All that is known of one tag; `version` is that of the library at this moment."""

    line: TagLine
    merged: tuple[TagRecord, ...]
    into: TagRecord | None
    changes: tuple[Change, ...]
    sweep: SweepState | None
    version: int


def list_tag_page(
    installation: Installation,
    wanted: TagFilter,
    *,
    order: Order = "newest",
    limit: int = 50,
    after: str | None = None,
) -> TagPage:
    """Return part of the tags that meet the conditions, with their figures.

    Raises:
        UsageError: `after` is of another order.
    """
    with installation.database.read() as connection:
        records, more = list_tags(connection, wanted, order=order, limit=limit, after=after)
        figures = tag_figures(connection, [one.id for one in records])
        total, version = count_tags(connection, wanted), library_version(connection)
    lines = tuple(TagLine(one, figures[one.id], _heat(installation, one)) for one in records)
    return TagPage(lines, more, total, version)


def show_tag(installation: Installation, reference: str) -> TagShown:
    """Return a tag by a name of it or `#NUMBER`.

    Raises:
        NotFoundError: there is none.
    """
    with installation.database.read() as connection:
        record = find(connection, reference)
        model_id = active_model_id(connection)
        sweep = connection.execute(
            select(sweeps.c.done_at, sweeps.c.hits).where(
                sweeps.c.tag_id == record.id, sweeps.c.model_id == model_id
            )
        ).first()
        return TagShown(
            TagLine(record, tag_figures(connection, [record.id])[record.id], _heat(installation, record)),
            tuple(merged_into(connection, [record.id])),
            None if record.merged_into is None else find(connection, f"#{record.merged_into}"),
            tuple(list_changes(connection, tag=record, limit=30)),
            None if sweep is None else SweepState(sweep.done_at, sweep.hits),
            library_version(connection),
        )


def history(installation: Installation, *, before: int | None = None, limit: int = 50) -> list[Change]:
    """Return the changes of the library, the newest first."""
    with installation.database.read() as connection:
        return list_changes(connection, before=before, limit=limit)


def complete(installation: Installation, beginning: str, *, limit: int = COMPLETIONS) -> list[str]:
    """Return names and aliases of active tags that begin so, in any spelling, or hold it, by name."""
    key = normalize_tag(beginning)
    if not key:
        return []
    with installation.database.read() as connection:
        query = select(tag_names.c.text).join(tags, tags.c.id == tag_names.c.tag_id)
        query = query.where(tags.c.state == "active").order_by(tag_names.c.key)
        begins = tag_names.c.key.startswith(key, autoescape=True)
        found = list(connection.scalars(query.where(begins).limit(limit)))
        if len(found) < limit:
            holds = tag_names.c.key.contains(key, autoescape=True)
            found += connection.scalars(query.where(holds, ~begins).limit(limit - len(found)))
    return found


def tag_figures(connection: Connection, tag_ids: Collection[int]) -> dict[int, TagFigures]:
    """Return the figures of some tags, those merged into them counted in."""
    ids = list(tag_ids)
    if not ids:
        return {}
    root = func.coalesce(tags.c.merged_into, tags.c.id).label("root")
    members = or_(tags.c.id.in_(ids), tags.c.merged_into.in_(ids))
    suggested: dict[int, int] = dict(
        connection.execute(
            select(root, func.count(func.distinct(suggestions.c.video_id)))
            .select_from(suggestions.join(tags, tags.c.id == suggestions.c.tag_id))
            .where(members, suggestions.c.model_id == active_model_id(connection))
            .group_by(root)
        )
        .tuples()
        .all()
    )
    said: dict[int, dict[str, int]] = {}
    for tag_id, verdict, count in connection.execute(
        select(root, verdicts.c.verdict, func.count())
        .select_from(verdicts.join(tags, tags.c.id == verdicts.c.tag_id))
        .where(members)
        .group_by(root, verdicts.c.verdict)
    ):
        said.setdefault(tag_id, {})[verdict] = count
    return {
        one: TagFigures(
            suggested.get(one, 0),
            said.get(one, {}).get("accept", 0),
            said.get(one, {}).get("add", 0),
            said.get(one, {}).get("reject", 0),
        )
        for one in ids
    }


def _heat(installation: Installation, record: TagRecord) -> float:
    if record.heat_at is None:
        return 0.0
    hours = (installation.clock() - record.heat_at).total_seconds() / 3600
    half_life = installation.settings.topics.half_life_hours
    return float(record.heat * 0.5 ** max(0.0, hours / half_life))
