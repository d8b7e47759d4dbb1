"""Tags read from the database: by number, by any of their names, or as a list with filters."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, Row, Select, and_, func, or_, select

from tagtower.errors import ConflictError, NotFoundError, UsageError
from tagtower.library.curation.record import TagRecord, TagState
from tagtower.library.schema import tag_groups, tag_names, tags
from tagtower.library.tags import normalize_tag
from tagtower.storage.rows import shorten

AT_ONCE = 1000
"""Numbers in one question to the database; SQLite takes 32,766."""

Order: TypeAlias = Literal["id", "name", "newest"]


@dataclass(frozen=True, slots=True)
class TagFilter:
    """Which tags are asked for: those that meet every condition that is given.

    `search` is a part of any name. Merged tags are left out unless they are asked for by `state`.
    """

    state: TagState | None = None
    search: str | None = None
    group: str | None = None
    language: str | None = None
    origin: str | None = None


def load(connection: Connection, tag_ids: Iterable[int]) -> dict[int, TagRecord]:
    """Return the tags with these numbers; those that do not exist, or were removed, are left out."""
    found: dict[int, TagRecord] = {}
    for some in chunks(sorted(set(tag_ids))):
        rows = connection.execute(select(tags).where(tags.c.id.in_(some), tags.c.state != "removed"))
        found.update((record.id, record) for record in _records(connection, rows.all()))
    return found


def load_one(connection: Connection, tag_id: int) -> TagRecord:
    """Return the tag with this number.

    Raises:
        NotFoundError: there is none.
    """
    record = load(connection, (tag_id,)).get(tag_id)
    if record is None:
        raise NotFoundError(f"There is no tag #{tag_id}.", hint="Look for it with: tagtower tags HOME list")
    return record


def holders(connection: Connection, keys: Collection[str]) -> dict[str, int]:
    """Return which tags have these normalized names; those that are free are left out."""
    found: dict[str, int] = {}
    for some in chunks(sorted(keys)):
        rows = connection.execute(
            select(tag_names.c.key, tag_names.c.tag_id).where(tag_names.c.key.in_(some))
        )
        found.update((row.key, row.tag_id) for row in rows)
    return found


def find(connection: Connection, reference: str) -> TagRecord:
    """Return the tag that `reference` names: by its text, an alias, or `#NUMBER`, in any spelling.

    A merged tag's names lead to the tag that it was merged into; by its number it is found itself.

    Raises:
        NotFoundError: there is none.
    """
    tag_id = connection.scalar(select(tag_names.c.tag_id).where(tag_names.c.key == normalize_tag(reference)))
    numbered = re.fullmatch(r"#([0-9]{1,18})", reference.strip())
    if tag_id is None and numbered:
        tag_id = int(numbered[1])
    if tag_id is None:
        raise NotFoundError(
            f"There is no tag {shorten(reference)}.",
            hint=_near(connection, reference) or "Look for it with: tagtower tags HOME list --search TEXT",
        )
    return load_one(connection, tag_id)


def find_standing(connection: Connection, reference: str) -> TagRecord:
    """Return the tag that `reference` names, which must not be merged.

    Raises:
        NotFoundError: there is none.
        ConflictError: it is merged.
    """
    record = find(connection, reference)
    if record.merged_into is not None:
        root = load_one(connection, record.merged_into)
        raise ConflictError(
            f"The tag {record.text!r} is merged into {root.text!r}.",
            hint=f"Name that tag, or bring this one back with: tagtower tags HOME split '#{record.id}'",
        )
    return record


def merged_into(connection: Connection, tag_ids: Iterable[int]) -> list[TagRecord]:
    """Return the tags that were merged into one of `tag_ids`, by number."""
    found: list[int] = []
    for some in chunks(sorted(set(tag_ids))):
        found += connection.scalars(select(tags.c.id).where(tags.c.merged_into.in_(some)))
    return sorted(load(connection, found).values(), key=lambda record: record.id)


def list_tags(
    connection: Connection,
    wanted: TagFilter,
    *,
    order: Order = "id",
    limit: int = 100,
    after: str | None = None,
) -> tuple[list[TagRecord], str | None]:
    """Return up to `limit` tags, and what to give as `after` for the next ones; None where there are no more.

    Raises:
        UsageError: `after` is of another order.
    """
    by_name = order == "name" and wanted.state != "merged"  # a merged tag has no name of its own
    query = matching(select(tags), wanted)
    if by_name:
        query = query.add_columns(tag_names.c.key).join(
            tag_names, and_(tag_names.c.tag_id == tags.c.id, tag_names.c.place == 0)
        )
        query = query.order_by(tag_names.c.key)
        query = query if after is None else query.where(tag_names.c.key > after)
    else:
        query = query.order_by(tags.c.id.desc() if order == "newest" else tags.c.id)
        if after is not None:
            if not re.fullmatch(r"[0-9]{1,18}", after):
                raise UsageError(f"{shorten(after)} is no place in this list.", hint="Begin without --after.")
            query = query.where(tags.c.id < int(after) if order == "newest" else tags.c.id > int(after))
    rows = connection.execute(query.limit(limit + 1)).all()
    last = rows[limit - 1] if len(rows) > limit else None
    more = None if last is None else str(last.key if by_name else last.id)
    return _records(connection, rows[:limit]), more


def count_tags(connection: Connection, wanted: TagFilter) -> int:
    """Return how many tags meet the conditions."""
    return connection.scalar(matching(select(func.count()).select_from(tags), wanted)) or 0


def every_tag(connection: Connection, wanted: TagFilter) -> Iterator[TagRecord]:
    """Yield every tag that meets the conditions, by number; few of them are in memory at a time."""
    last = 0
    while True:
        query = matching(select(tags), wanted).where(tags.c.id > last)
        rows = connection.execute(query.order_by(tags.c.id).limit(AT_ONCE)).all()
        if not rows:
            return
        last = rows[-1].id
        yield from _records(connection, rows)


def matching(query: Select[Any], wanted: TagFilter) -> Select[Any]:
    """Return `query`, which reads `tags`, with the conditions of a filter."""
    query = query.where(tags.c.state != "removed")
    query = query.where(tags.c.state == wanted.state if wanted.state else tags.c.state != "merged")
    if wanted.search:
        part = normalize_tag(wanted.search)
        named = tag_names.c.key.contains(part, autoescape=True)
        if wanted.state == "merged":  # these have no names of their own
            query = query.where(tags.c.text.icontains(wanted.search, autoescape=True))
        else:
            query = query.where(tags.c.id.in_(select(tag_names.c.tag_id).where(named)))
    if wanted.group:
        query = query.where(
            tags.c.id.in_(select(tag_groups.c.tag_id).where(tag_groups.c.name == wanted.group))
        )
    if wanted.language:
        exact, narrower = (
            tags.c.language == wanted.language,
            tags.c.language.startswith(f"{wanted.language}-"),
        )
        query = query.where(or_(exact, narrower))
    if wanted.origin:
        query = query.where(tags.c.origin == wanted.origin)
    return query


def list_groups(connection: Connection) -> list[tuple[str, int]]:
    """Return every group with the number of its tags, by name."""
    rows = connection.execute(
        select(tag_groups.c.name, func.count()).group_by(tag_groups.c.name).order_by(tag_groups.c.name)
    )
    return [(name, count) for name, count in rows]


def chunks(values: Sequence[Any], size: int = AT_ONCE) -> Iterator[Sequence[Any]]:
    """Yield `values` in pieces that one question to the database can hold."""
    return (values[start : start + size] for start in range(0, len(values), size))


def _records(connection: Connection, rows: Sequence[Row[Any]]) -> list[TagRecord]:
    """Return the records of rows of `tags`, in their order."""
    names: dict[int, list[str]] = {}
    groups: dict[int, list[str]] = {}
    for some in chunks([row.id for row in rows]):
        aliases = select(tag_names.c.tag_id, tag_names.c.text).where(
            tag_names.c.tag_id.in_(some), tag_names.c.place > 0
        )
        for tag_id, text in connection.execute(aliases.order_by(tag_names.c.place)):
            names.setdefault(tag_id, []).append(text)
        for tag_id, name in connection.execute(
            select(tag_groups.c.tag_id, tag_groups.c.name).where(tag_groups.c.tag_id.in_(some))
        ):
            groups.setdefault(tag_id, []).append(name)
    return [
        TagRecord(
            id=row.id,
            text=row.text,
            aliases=tuple(names.get(row.id, ())),
            description=row.description,
            language=row.language,
            state=row.state,
            merged_into=row.merged_into,
            origin=row.origin,
            created_at=row.created_at,
            expires_at=row.expires_at,
            suggestable=row.suggestable,
            threshold=row.threshold,
            groups=tuple(sorted(groups.get(row.id, ()))),
            version=row.version,
            heat=row.heat,
            heat_at=row.heat_at,
        )
        for row in rows
    ]


def _near(connection: Connection, reference: str) -> str | None:
    """Return a hint with names that begin alike."""
    key = normalize_tag(reference)
    if not key:
        return None
    alike = tag_names.c.key.startswith(key[:4], autoescape=True)
    found = connection.scalars(select(tag_names.c.text).where(alike).order_by(tag_names.c.key).limit(5)).all()
    return f"Did you mean one of: {', '.join(found)}?" if found else None
