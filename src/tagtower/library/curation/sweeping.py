"""Asking the workers to look for stored videos that a new tag, or one with a new name, fits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from tagtower.library.curation.plan import Edit
from tagtower.library.curation.reading import chunks
from tagtower.library.curation.record import TagRecord
from tagtower.library.schema import models, sweeps


def wants_sweep(edit: Edit, now: datetime) -> bool:
    """Return whether a tag fits other videos now: it became suggestable, or got other names or a threshold."""
    if edit.before is None or edit.after is None or not _shown(edit.before, now):
        return _shown(edit.after, now)
    return _shown(edit.after, now) and (edit.renames or edit.before.threshold != edit.after.threshold)


def ask_for_sweeps(connection: Connection, tag_ids: Sequence[int], at: datetime) -> int:
    """Ask for sweeps of these tags, afresh where there was one, and return of how many tags.

    They are asked of the active model and of those that may become so; without any nothing is asked for, since the
    first one will look at every tag.
    """
    users = connection.scalars(select(models.c.id).where(models.c.state != "retired")).all()
    if not users:
        return 0
    for some in chunks(tag_ids):
        connection.execute(delete(sweeps).where(sweeps.c.model_id.in_(users), sweeps.c.tag_id.in_(some)))
        connection.execute(
            insert(sweeps),
            [
                {"tag_id": tag_id, "model_id": model_id, "asked_at": at}
                for model_id in users
                for tag_id in some
            ],
        )
    return len(tag_ids)


def _shown(record: TagRecord | None, now: datetime) -> bool:
    return record is not None and record.state == "active" and record.suggestable and not record.expired(now)
