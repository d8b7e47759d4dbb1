"""What was changed, when, by whom; and how a tag was before it was merged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, or_, select

from tagtower.errors import NotFoundError
from tagtower.library.curation.plan import Bar, Edit
from tagtower.library.curation.reading import AT_ONCE, load
from tagtower.library.curation.record import TagRecord
from tagtower.library.schema import changed_tags, changes


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the library. `undone_by` is the version of the change that undid it, if one did."""

    version: int
    at: datetime
    author: str
    kind: str
    summary: str
    detail: dict[str, Any] | None
    undoes: int | None
    undone_by: int | None

    @property
    def made(self) -> tuple[tuple[int, int], ...]:
        """The tags that an import made, as ranges of numbers, both ends included."""
        return tuple((first, last) for first, last in (self.detail or {}).get("made", ()))

    @property
    def bars(self) -> tuple[Bar, ...]:
        """The videos from which it barred tags, or no longer."""
        return tuple(Bar(*bar) for bar in (self.detail or {}).get("bars", ()))

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return {
            "version": self.version,
            "at": self.at.isoformat(),
            "author": self.author,
            "kind": self.kind,
            "summary": self.summary,
            "undoes": self.undoes,
            "undone_by": self.undone_by,
        }


def list_changes(
    connection: Connection, *, tag: TagRecord | None = None, before: int | None = None, limit: int = 50
) -> list[Change]:
    """Return up to `limit` changes, the newest first; of one tag, those that touched it.

    Args:
        before: only changes with a smaller version.
    """
    query = _query()
    if before is not None:
        query = query.where(changes.c.version < before)
    if tag is not None:
        touched = select(changed_tags.c.version).where(changed_tags.c.tag_id == tag.id)
        imported = changes.c.version == _import_of(connection, tag)
        query = query.where(or_(changes.c.version.in_(touched), imported))
    return [_change(row) for row in connection.execute(query.limit(limit))]


def load_change(connection: Connection, version: int) -> Change:
    """Return a change.

    Raises:
        NotFoundError: there is none with this version.
    """
    row = connection.execute(_query().where(changes.c.version == version)).first()
    if row is None:
        raise NotFoundError(
            f"There is no change {version}.", hint="List them with: tagtower tags HOME history"
        )
    return _change(row)


def edits_of(connection: Connection, change: Change) -> Iterator[list[Edit]]:
    """Yield the edits of a change by number of the tag, a bounded number at a time."""
    last = 0
    while True:
        rows = connection.execute(
            select(changed_tags)
            .where(changed_tags.c.version == change.version, changed_tags.c.tag_id > last)
            .order_by(changed_tags.c.tag_id)
            .limit(AT_ONCE)
        ).all()
        if rows:
            last = rows[-1].tag_id
            yield [Edit(_record(row.tag_id, row.before), _record(row.tag_id, row.after)) for row in rows]
        if len(rows) < AT_ONCE:
            break
    for first, end in change.made:
        for start in range(first, end + 1, AT_ONCE):
            ids = range(start, min(start + AT_ONCE, end + 1))
            yield [Edit(None, record) for record in _as_made(connection, change.version, ids).values()]


def before_merging(connection: Connection, merged: TagRecord) -> TagRecord:
    """Return a merged tag as it was before its last merge; as it is where the history does not know."""
    rows = connection.execute(
        select(changed_tags).where(changed_tags.c.tag_id == merged.id).order_by(changed_tags.c.version.desc())
    )
    for row in rows:
        before = _record(row.tag_id, row.before)
        if before is not None and before.state != "merged":
            return before
    return merged


def _as_made(connection: Connection, version: int, ids: range) -> dict[int, TagRecord]:
    """Return the tags that an import made as it made them: as they are, or as the first later change found them."""
    found = {tag_id: record for tag_id, record in load(connection, ids).items() if record.version == version}
    later = connection.execute(
        select(changed_tags)
        .where(changed_tags.c.tag_id.between(ids[0], ids[-1]), changed_tags.c.version > version)
        .order_by(changed_tags.c.tag_id, changed_tags.c.version)
    )
    for row in later:
        if row.tag_id not in found and (record := _record(row.tag_id, row.before)) is not None:
            found[row.tag_id] = record
    return dict(sorted(found.items()))


def _import_of(connection: Connection, tag: TagRecord) -> int | None:
    """Return the version of the import that made a tag, None where it was made otherwise."""
    first = connection.execute(
        select(changed_tags.c.before)
        .where(changed_tags.c.tag_id == tag.id)
        .order_by(changed_tags.c.version)
        .limit(1)
    ).first()
    if first is None:
        return tag.version
    if first.before is None:
        return None
    imports = connection.execute(
        select(changes.c.version, changes.c.detail)
        .where(changes.c.kind == "import")
        .order_by(changes.c.version)
    )
    for version, detail in imports:
        if any(start <= tag.id <= end for start, end in (detail or {}).get("made", ())):
            return int(version)
    return None


def _query() -> Any:
    undoing = changes.alias("undoing")
    return (
        select(changes, undoing.c.version.label("undone_by"))
        .outerjoin(undoing, undoing.c.undoes == changes.c.version)
        .order_by(changes.c.version.desc())
    )


def _change(row: Row[Any]) -> Change:
    return Change(
        row.version, row.at, row.author, row.kind, row.summary, row.detail, row.undoes, row.undone_by
    )


def _record(tag_id: int, image: dict[str, Any] | None) -> TagRecord | None:
    return None if image is None else TagRecord.from_image(tag_id, image)
