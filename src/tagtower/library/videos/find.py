"""Finding videos: by tag, words, owner, shelf and time, together, the last that came first.

The order is that of the videos' numbers, so a video that is added meanwhile stands before every page that was asked
for, and a clock that was set back mixes nothing up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from sqlalchemy import ColumnElement, Connection, Select, column, exists, func, literal, select, union
from sqlalchemy import table as named_table
from sqlalchemy import text as sql

from tagtower.library.schema import suggestions, verdicts, video_references, videos
from tagtower.library.videos.shown import YES, Members, has_tag, is_barred, latest_verdict
from tagtower.library.videos.words import Asked, fts5_query, has_words, ts_query

Shelf: TypeAlias = Literal["unlabelled", "labelled", "failed"]

ENOUGH = 2000
"""Matches of a condition are counted up to here; one with fewer is walked through, whatever the others are."""

SPAN = 50_000
"""So many videos since a moment make it needless to know where exactly that was."""

MANY_MEMBERS = 50
"""A tag that more tags were merged into is read as one list, sorted, in place of one ordered list for each."""

# The outer tables of questions; conditions ask the same tables by their own names.
WORDS = named_table("video_words", column("rowid"))
VIDEOS, REFERENCES = videos.alias("found"), video_references.alias("mine")
SAID, SUGGESTED = verdicts.alias("said"), suggestions.alias("suggested")


@dataclass(frozen=True, slots=True)
class Filter:
    """What videos must be like, all of it; nothing asks for every video.

    `since` is included and `until` is not; both are of the moment a video was handed in. `reviewed` asks for videos on
    which a person has said something, or nothing.
    """

    tags: tuple[Members, ...] = ()
    words: tuple[Asked, ...] = ()
    owner: str | None = None
    shelf: Shelf | None = None
    since: datetime | None = None
    until: datetime | None = None
    reviewed: bool | None = None


def find_ids(
    connection: Connection, wanted: Filter, model_id: int | None, *, below: int | None = None, limit: int = 50
) -> list[int]:
    """Return the numbers of up to `limit` videos, newest first; only such with a number less than `below`."""
    arms = _arms(connection, wanted, model_id, below)
    ordered = [_newest(arm, key, limit) for arm, key in arms]
    if len(ordered) == 1:
        return list(connection.scalars(ordered[0]))
    parts = [select(one.subquery().c[0].label("id")) for one in ordered]
    found = union(*parts).subquery()
    return list(connection.scalars(select(found.c.id).order_by(found.c.id.desc()).limit(limit)))


def count_ids(connection: Connection, wanted: Filter, model_id: int | None, *, most: int) -> int:
    """Return how many videos there are, counting no further than `most`."""
    return len(find_ids(connection, wanted, model_id, limit=most))


Arm: TypeAlias = tuple[Select[Any], ColumnElement[int]]
"""A question whose rows are videos, and the column with their numbers."""


def _newest(arm: Select[Any], key: ColumnElement[int], limit: int) -> Select[Any]:
    return arm.order_by(key.desc()).limit(limit)


def _arms(connection: Connection, wanted: Filter, model_id: int | None, below: int | None) -> list[Arm]:
    """Return ordered lists that together hold every match: of the rarest condition, the others asked of each row."""
    span = _span(connection, wanted)
    if span is None or any(not tag.shown for tag in wanted.tags):
        return [(select(VIDEOS.c.id).where(literal(1) == 0), VIDEOS.c.id)]
    leads: list[tuple[int, int, str, Members | None]] = []
    several = len(wanted.tags) + bool(wanted.words) > 1
    if wanted.words:
        count = _count(connection, _word_arm(connection, wanted.words)) if several else 0
        leads.append((count, 0, "words", None))
    for place, tag in enumerate(wanted.tags, start=1):
        count = _uses(connection, tag, model_id) if several else 0
        leads.append((count, place, "tag", tag))
    lead, led = (None, None) if not leads else min(leads, key=lambda one: one[:2])[2:]
    if lead == "words":
        arms = [_word_arm(connection, wanted.words)]
    elif lead == "tag" and led is not None:
        arms = _tag_arms(led, model_id)
    elif wanted.owner is not None:
        arms = [_owner_arm(wanted.owner)]
    else:
        arms = [_video_arm(wanted)]
    restricted = []
    for arm, key in arms:
        conditions = [key < below] if below is not None else []
        conditions += [key >= span[0]] if span[0] is not None else []
        conditions += [key <= span[1]] if span[1] is not None else []
        conditions += [has_tag(key, tag, model_id) for tag in wanted.tags if tag is not led]
        if wanted.words and lead != "words":
            conditions.append(has_words(connection, key, wanted.words))
        if wanted.owner is not None and lead is not None:
            mine = (video_references.c.video_id == key, video_references.c.owner == wanted.owner)
            conditions.append(exists().where(*mine))
        if lead is not None or wanted.owner is not None:
            conditions += _of_the_video(key, wanted)
        if wanted.reviewed is not None:
            said = exists().where(verdicts.c.video_id == key)
            conditions.append(said if wanted.reviewed else ~said)
        restricted.append((arm.where(*conditions), key))
    return restricted


def _word_arm(connection: Connection, asked: Sequence[Asked]) -> Arm:
    if connection.dialect.name == "sqlite":
        matching = sql("video_words MATCH :asked").bindparams(asked=fts5_query(asked))
        return select(WORDS.c.rowid).where(matching), WORDS.c.rowid
    return select(VIDEOS.c.id).where(VIDEOS.c.words.op("@@")(ts_query(asked))), VIDEOS.c.id


def _tag_arms(tag: Members, model_id: int | None) -> list[Arm]:
    """Return the videos that show a tag: those of a person's yes, and the suggestions that nothing speaks against.

    Every list but a very long one is in the order of its index, so that a page of it reads a page.
    """
    split = [(one,) for one in tag.ids] if len(tag.ids) <= MANY_MEMBERS else [tag.ids]
    arms: list[Arm] = []
    for ids in split:
        key = SAID.c.video_id
        said = select(key).where(_among(SAID.c.tag_id, ids), SAID.c.verdict.in_(YES))
        if len(tag.ids) > 1:  # the last word may be another member's
            said = said.where(latest_verdict(key, tag).in_(YES))
        arms.append((said.distinct() if len(ids) > 1 else said, key))
        if model_id is not None and tag.suggested:
            key = SUGGESTED.c.video_id
            arm = select(key).where(SUGGESTED.c.model_id == model_id, _among(SUGGESTED.c.tag_id, ids))
            arm = arm.where(latest_verdict(key, tag).is_(None), ~is_barred(key, tag))
            arms.append((arm.distinct() if len(ids) > 1 else arm, key))
    return arms


def _owner_arm(owner: str) -> Arm:
    key = REFERENCES.c.video_id
    return select(key).where(REFERENCES.c.owner == owner).distinct(), key


def _video_arm(wanted: Filter) -> Arm:
    arm = select(VIDEOS.c.id)
    if wanted.shelf is not None:
        arm = arm.where(VIDEOS.c.shelf == wanted.shelf)
    # A plain column would have its index taken, and every match sorted; the numbers are bounded already.
    moment = func.coalesce(VIDEOS.c.added_at, VIDEOS.c.added_at)
    return arm.where(*_bounds(moment, wanted)), VIDEOS.c.id


def _span(connection: Connection, wanted: Filter) -> tuple[int | None, int | None] | None:
    """Return the least and the greatest number of the videos of the time that is asked for; None if there are none.

    They follow the time but where a clock was set back; so a search begins and ends where the time does, instead of
    walking through all that came later or before.
    """
    if wanted.since is None and wanted.until is None:
        return None, None
    inside = select(videos.c.id).where(*_bounds(videos.c.added_at, wanted))
    if wanted.until is None and _count(connection, (inside, videos.c.id), SPAN) == SPAN:
        return None, None  # the first page ends long before the time does
    least, greatest = connection.execute(
        select(func.min(videos.c.id), func.max(videos.c.id)).where(*_bounds(videos.c.added_at, wanted))
    ).one()
    return None if least is None else (least, greatest)


def _of_the_video(key: ColumnElement[int], wanted: Filter) -> list[ColumnElement[bool]]:
    conditions = _bounds(videos.c.added_at, wanted)
    if wanted.shelf is not None:
        conditions.append(videos.c.shelf == wanted.shelf)
    return [exists().where(videos.c.id == key, *conditions)] if conditions else []


def _bounds(moment: ColumnElement[datetime], wanted: Filter) -> list[ColumnElement[bool]]:
    conditions = []
    if wanted.since is not None:
        conditions.append(moment >= wanted.since)
    if wanted.until is not None:
        conditions.append(moment < wanted.until)
    return conditions


def _uses(connection: Connection, tag: Members, model_id: int | None) -> int:
    """Return how many suggestions and words of persons there are of a tag, whatever they are worth."""
    counted = select(SAID.c.video_id).where(_among(SAID.c.tag_id, tag.ids))
    uses = _count(connection, (counted, SAID.c.video_id))
    if model_id is not None and tag.suggested:
        key = SUGGESTED.c.video_id
        arm = select(key).where(SUGGESTED.c.model_id == model_id, _among(SUGGESTED.c.tag_id, tag.ids))
        uses += _count(connection, (arm, key))
    return uses


def _count(connection: Connection, arm: Arm, most: int = ENOUGH) -> int:
    rows = arm[0].limit(most).subquery()
    return connection.scalar(select(func.count()).select_from(rows)) or 0


def _among(column: ColumnElement[int], ids: Sequence[int]) -> ColumnElement[bool]:
    return column == ids[0] if len(ids) == 1 else column.in_(ids)
