"""Carrying out a plan: rows of tags, names and groups, the history, and the sweeps that it asks for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from tagtower.errors import ConflictError, UsageError
from tagtower.library.curation.plan import Bar, Edit, Plan, claims
from tagtower.library.curation.reading import AT_ONCE, chunks, holders, load
from tagtower.library.curation.record import TagRecord
from tagtower.library.curation.sweeping import ask_for_sweeps, wants_sweep
from tagtower.library.events import record as record_event
from tagtower.library.schema import barred, changed_tags, changes, tag_groups, tag_names, tags
from tagtower.library.tags import normalize_tag
from tagtower.storage.rows import text_fault

LOCK = 7_300_417_713
"""Number of the advisory lock that one changing transaction holds on PostgreSQL, so that versions are seen in order."""

MAX_AUTHOR_CHARACTERS = 200

TOLD = 100
"""Tags that an event of a change names, at most."""


@dataclass(frozen=True, slots=True)
class Committed:
    """A change that was made; `edits` hold the numbers that new tags were given."""

    version: int
    edits: tuple[Edit, ...]
    sweeps: int


def lock_library(connection: Connection) -> None:
    """Let no other change of the library begin before this transaction has ended."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(LOCK)))


def hold_library(connection: Connection) -> int:
    """Let no change of the library begin before this transaction has ended, and return its version until then.

    Any number of transactions may hold it at a time. Whoever writes answers does: a change is then either in them, or
    is made after they can be seen by the sweeps that it asks for.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock_shared(LOCK)))
    return library_version(connection)


def library_version(connection: Connection) -> int:
    """Return the number of the last change, 0 for a library that nobody has touched."""
    return connection.scalar(select(func.max(changes.c.version))) or 0


def commit(
    connection: Connection, plan: Plan, author: str, at: datetime, *, undoes: int | None = None
) -> Committed:
    """Make the changes of a plan that was made in the same transaction, after `lock_library`.

    Raises:
        ConflictError: a name belongs to another tag, or a tag that others are merged into would vanish.
    """
    version = begin_change(connection, plan, author, at, undoes=undoes)
    edits, sweeps = apply_edits(connection, version, plan.edits, at)
    apply_bars(connection, plan.bars)
    _tell(connection, version, plan, author, edits, at)
    return Committed(version, edits, sweeps)


def _tell(
    connection: Connection, version: int, plan: Plan, author: str, edits: Sequence[Edit], at: datetime
) -> None:
    """Let those who wait for changes of the library know."""
    told = [
        {"id": tag.id, "text": tag.text, "state": edit.after.state if edit.after else None}
        for edit in edits[:TOLD]
        if (tag := edit.after or edit.before) is not None
    ]
    new = bool(edits) and all(edit.before is None for edit in edits)
    data = {"version": version, "kind": plan.kind, "summary": plan.summary, "author": author, "tags": told}
    record_event(connection, "tag.added" if new else "tag.changed", data, at)


def begin_change(
    connection: Connection, plan: Plan, author: str, at: datetime, *, undoes: int | None = None
) -> int:
    """Enter a change in the history and return its version; its edits follow with `apply_edits`."""
    detail = dict(plan.detail or {})
    if plan.bars:
        detail["bars"] = [[bar.video_id, bar.tag_id, bar.barred] for bar in plan.bars]
    made = connection.execute(
        insert(changes).values(
            at=at,
            author=check_author(author),
            kind=plan.kind,
            summary=plan.summary,
            detail=detail or None,
            undoes=undoes,
        )
    )
    key = made.inserted_primary_key
    assert key is not None, "one row was inserted"
    return int(key[0])


def check_author(author: str) -> str:
    """Return the name of an author as it is kept.

    Raises:
        UsageError: it is blank, too long, or holds characters that cannot be kept.
    """
    name = " ".join(author.split())
    if not name or len(name) > MAX_AUTHOR_CHARACTERS or text_fault(name):
        raise UsageError(
            "The author of a change is missing or no name.", hint="Say who you are with --author."
        )
    return name


def apply_edits(
    connection: Connection, version: int, edits: Sequence[Edit], at: datetime, *, sweep: bool = True
) -> tuple[tuple[Edit, ...], int]:
    """Write the edits as part of the change `version`; return them with the numbers of new tags, and the sweeps.

    A change may write several times; of a tag that it touches twice the history keeps the first and the last state.

    Args:
        sweep: ask for sweeps of the tags that fit other videos now.
    Raises:
        ConflictError: a name belongs to another tag, or a tag that others are merged into would vanish.
    """
    _check_names(connection, edits)
    _check_roots(connection, edits)
    renamed = [edit.tag_id for edit in edits if edit.renames and edit.tag_id]
    regrouped = [edit.tag_id for edit in edits if edit.tag_id and _groups(edit.before) != _groups(edit.after)]
    for some in chunks(renamed):
        connection.execute(delete(tag_names).where(tag_names.c.tag_id.in_(some)))
    for some in chunks(regrouped):
        connection.execute(delete(tag_groups).where(tag_groups.c.tag_id.in_(some)))
    written = _write(connection, version, edits)
    write_names(connection, [(edit.tag_id, edit.after) for edit in written if edit.after and edit.renames])
    regrouping = (edit for edit in written if edit.after and _groups(edit.before) != edit.after.groups)
    write_groups(connection, [(edit.tag_id, edit.after) for edit in regrouping if edit.after])
    write_images(connection, version, written)
    swept = [edit.tag_id for edit in written if sweep and wants_sweep(edit, at)]
    return written, ask_for_sweeps(connection, swept, at)


def write_images(connection: Connection, version: int, edits: Iterable[Edit]) -> None:
    """Keep in the history how tags were and are."""
    first: list[dict[str, Any]] = []
    for edit in edits:
        before = None if edit.before is None else edit.before.to_image()
        after = None if edit.after is None else edit.after.to_image()
        if edit.before is None or edit.before.version != version:
            first.append({"version": version, "tag_id": edit.tag_id, "before": before, "after": after})
            continue
        here = (changed_tags.c.version == version) & (changed_tags.c.tag_id == edit.tag_id)
        connection.execute(update(changed_tags).where(here).values(after=after))
    for some in chunks(first):
        connection.execute(insert(changed_tags), some)


def apply_bars(connection: Connection, bars: Iterable[Bar]) -> None:
    """Bar tags from videos, or no more."""
    for bar in bars:
        here = (barred.c.video_id == bar.video_id) & (barred.c.tag_id == bar.tag_id)
        connection.execute(delete(barred).where(here))
        if bar.barred:
            connection.execute(insert(barred).values(video_id=bar.video_id, tag_id=bar.tag_id))


def write_names(connection: Connection, numbered: Iterable[tuple[int, TagRecord]]) -> None:
    """Enter the names of tags that have none in the database."""
    rows = [
        {"key": normalize_tag(name), "tag_id": number, "text": name, "place": place}
        for number, record in numbered
        for place, name in enumerate(record.names)
    ]
    for some in chunks(rows, 10 * AT_ONCE):
        connection.execute(insert(tag_names), some)


def write_groups(connection: Connection, numbered: Iterable[tuple[int, TagRecord]]) -> None:
    """Enter the groups of tags that are in none in the database."""
    rows = [{"name": name, "tag_id": number} for number, record in numbered for name in record.groups]
    for some in chunks(rows, 10 * AT_ONCE):
        connection.execute(insert(tag_groups), some)


def columns_of(record: TagRecord, version: int) -> dict[str, Any]:
    """Return a record as columns of `tags`, without its number and its heat."""
    return {
        "text": record.text,
        "description": record.description,
        "language": record.language,
        "state": record.state,
        "merged_into": record.merged_into,
        "origin": record.origin,
        "created_at": record.created_at,
        "expires_at": record.expires_at,
        "suggestable": record.suggestable,
        "threshold": record.threshold,
        "version": version,
    }


def _write(connection: Connection, version: int, edits: Sequence[Edit]) -> tuple[Edit, ...]:
    """Write the rows of tags and return the edits, in which new tags have their numbers."""
    gone = [edit.tag_id for edit in edits if edit.after is None]
    for some in chunks(gone):
        removed = {"state": "removed", "merged_into": None, "version": version}
        connection.execute(update(tags).where(tags.c.id.in_(some)).values(removed))
    rows = [
        {"tag": edit.tag_id, **columns_of(edit.after, version)}
        for edit in edits
        if edit.after and edit.tag_id
    ]
    if rows:
        connection.execute(update(tags).where(tags.c.id == bindparam("tag")), rows)
    return tuple(
        edit if edit.after is None else Edit(edit.before, _written(connection, version, edit.after))
        for edit in edits
    )


def _written(connection: Connection, version: int, record: TagRecord) -> TagRecord:
    """Return a record with the version that it was written with, and its number; a new one is inserted first."""
    if record.id:
        return replace(record, version=version)
    heat = {"heat": record.heat, "heat_at": record.heat_at}
    made = connection.execute(insert(tags).values(**columns_of(record, version), **heat))
    key = made.inserted_primary_key
    assert key is not None, "one row was inserted"
    return replace(record, id=int(key[0]), version=version)


def _check_names(connection: Connection, edits: Sequence[Edit]) -> None:
    claimed = claims(edits)
    touched = {edit.tag_id for edit in edits if edit.tag_id}
    for key, holder in holders(connection, claimed.keys()).items():
        if holder not in touched:
            other = load(connection, (holder,))[holder]
            raise ConflictError(
                f"The name {claimed[key][1]!r} belongs to the tag {other.text!r}"
                + (f", which is {other.state}." if other.state != "active" else "."),
                hint=_way_out(other),
            )


def _way_out(holder: TagRecord) -> str:
    if holder.state == "retired":
        return f"Bring it back with: tagtower tags HOME restore '#{holder.id}'"
    if holder.state == "quarantined":
        return f"Let it in with: tagtower tags HOME approve '#{holder.id}'"
    return "Choose another name, remove it there, or merge the two tags."


def _check_roots(connection: Connection, edits: Sequence[Edit]) -> None:
    """Refuse a plan after which a tag would be merged into one that is merged itself, or does not exist."""
    after = {edit.tag_id: edit.after for edit in edits if edit.tag_id}
    fallen = [tag_id for tag_id, record in after.items() if record is None or record.state == "merged"]
    for some in chunks(fallen):
        rows = connection.execute(select(tags).where(tags.c.merged_into.in_(some), tags.c.state == "merged"))
        for row in rows:
            if row.id not in after:
                root = load_root(connection, row.merged_into)
                raise ConflictError(
                    f"The tag {row.text!r} is merged into {root}, which others need as it is.",
                    hint=f"Undo change {row.version} first, or bring {row.text!r} back with split.",
                )
    roots = {record.merged_into for record in after.values() if record is not None and record.merged_into}
    kept = load(connection, roots - after.keys())
    for root_id in roots:
        root_record = after[root_id] if root_id in after else kept.get(root_id)
        if root_record is None or root_record.state == "merged":
            raise ConflictError(
                f"The tag #{root_id} is merged itself or no more there, so nothing can be merged into it.",
                hint="Look at its history with: tagtower tags HOME history",
            )


def load_root(connection: Connection, tag_id: int) -> str:
    """Return a tag's text, quoted for a message."""
    text = connection.scalar(select(tags.c.text).where(tags.c.id == tag_id))
    return repr(text)


def _groups(record: TagRecord | None) -> tuple[str, ...]:
    return () if record is None else record.groups
