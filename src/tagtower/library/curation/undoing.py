"""Undoing a change: the tags that it touched become as they were, unless someone has built upon it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, select

from tagtower.errors import ConflictError
from tagtower.library.curation.committing import Committed, apply_bars, apply_edits, begin_change
from tagtower.library.curation.history import Change, edits_of, load_change
from tagtower.library.curation.plan import Bar, Edit, Plan
from tagtower.library.curation.reading import load
from tagtower.library.schema import barred, tags, videos

KEPT_EDITS = 1000
"""An undo of more edits than this does not list them in its answer."""


def undo(connection: Connection, version: int, author: str, at: datetime) -> tuple[Plan, Committed]:
    """Undo a change, as a change of its own, after `lock_library`; return what was done.

    Of a large import only some of the tags are in memory at a time. What is undone can be undone as well.

    Raises:
        NotFoundError: there is no such change.
        ConflictError: it was undone already, or one of its tags is not as the change left it; a name was given to
            another tag meanwhile, or others were merged into a tag that would vanish.
    """
    change = load_change(connection, version)
    if change.undone_by is not None:
        raise ConflictError(
            f"Change {version} was undone by change {change.undone_by}.",
            hint=f"Make it again with: tagtower tags HOME undo {change.undone_by}",
        )
    bars = tuple(_lifted(connection, change))
    plan = Plan("undo", f"undo change {version}: {change.summary}", bars=bars)
    number = begin_change(connection, plan, author, at, undoes=version)
    kept: list[Edit] = []
    asked = 0
    for edits in edits_of(connection, change):
        backwards = _backwards(connection, edits, change)
        written, sweeps = apply_edits(connection, number, backwards, at)
        asked += sweeps
        kept += written[: KEPT_EDITS - len(kept)]
    apply_bars(connection, bars)
    return replace(plan, edits=tuple(kept)), Committed(number, tuple(kept), asked)


def _backwards(connection: Connection, edits: Sequence[Edit], change: Change) -> list[Edit]:
    """Return the edits that lead back, with the tags as they are now.

    Raises:
        ConflictError: a tag is not as the change left it.
    """
    now = load(connection, (edit.tag_id for edit in edits))
    backwards = []
    for edit in edits:
        current = now.get(edit.tag_id)
        if current != edit.after:
            raise _built_upon(connection, edit, change.version)
        backwards.append(Edit(current, edit.before))
    return backwards


def _built_upon(connection: Connection, edit: Edit, version: int) -> ConflictError:
    row = connection.execute(select(tags.c.text, tags.c.version).where(tags.c.id == edit.tag_id)).one()
    later = load_change(connection, row.version)
    return ConflictError(
        f"The tag {row.text!r} is not as change {version} left it: change {later.version} by {later.author} came "
        f"later ({later.summary}).",
        hint=f"Undo that one first: tagtower tags HOME undo {later.version}",
    )


def _lifted(connection: Connection, change: Change) -> list[Bar]:
    """Return what leads back to where tags were barred before; a video that was erased is passed over.

    Raises:
        ConflictError: a tag is not barred as the change left it.
    """
    back = []
    for bar in change.bars:
        if connection.scalar(select(videos.c.id).where(videos.c.id == bar.video_id)) is None:
            continue
        here = (barred.c.video_id == bar.video_id) & (barred.c.tag_id == bar.tag_id)
        if (connection.scalar(select(barred.c.tag_id).where(here)) is not None) != bar.barred:
            raise ConflictError(
                f"Whether the tag #{bar.tag_id} may be suggested on video #{bar.video_id} was changed after change "
                f"{change.version}.",
                hint="Say what you want with: tagtower tags HOME bar",
            )
        back.append(Bar(bar.video_id, bar.tag_id, not bar.barred))
    return back
