"""Finding videos: by tag, words, owner, shelf and time, together, the last that came first.

The order is that of the videos' numbers, so a video that is added meanwhile stands before every page that was asked
for, and a clock that was set back mixes nothing up. The rarest tag or search of words leads: its list is walked, and
the other conditions are asked of each row. Where all are frequent, lists are compared range by range.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, TypeAlias

from sqlalchemy import ColumnElement, Connection, Integer, column, exists, func, select, union

from tagtower.library.schema import verdicts, video_references, videos
from tagtower.library.videos.shown import Members, has_tag
from tagtower.library.videos.streams import (
    VIDEOS,
    Arm,
    count,
    count_uses,
    count_words,
    no_arm,
    owner_arm,
    tag_arms,
    tag_candidates,
    video_arm,
    word_arm,
    word_candidates,
)
from tagtower.library.videos.words import Asked, has_words

Shelf: TypeAlias = Literal["unlabelled", "labelled", "failed"]

ID: ColumnElement[int] = column("id", Integer)

ENOUGH = 2000
"""Matches of a tag or of words are counted up to here; a list with fewer is walked to its end."""

FIRST_RANGE, GROWTH = 1 << 14, 16
"""Numbers in the first range in which lists are compared, and how much larger each next one is."""

SPAN = 50_000
"""So many videos since a moment make it needless to know where exactly that was."""


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
    plan = _plan(connection, wanted, model_id, below)
    if not plan.ranges:
        return _newest(connection, _arms(connection, plan, plan.least, plan.greatest), limit)
    found: list[int] = []
    for least, greatest in _ranges(connection, plan):
        found += _newest(connection, _arms(connection, plan, least, greatest), limit - len(found))
        if len(found) >= limit:
            break
    return found


def count_ids(connection: Connection, wanted: Filter, model_id: int | None, *, most: int) -> int:
    """Return how many videos there are, counting no further than `most`."""
    return len(find_ids(connection, wanted, model_id, limit=most))


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a filter is answered.

    `lead` is the tag whose list is walked, or `words`, or None where there are neither; `least` and `greatest` bound
    the numbers; `ranges` says that lists are compared range by range. `empty` says that nothing can be found.
    """

    wanted: Filter
    model_id: int | None
    lead: Members | Literal["words"] | None = None
    least: int | None = None
    greatest: int | None = None
    ranges: bool = False
    empty: bool = False


def _plan(connection: Connection, wanted: Filter, model_id: int | None, below: int | None) -> _Plan:
    plan = _Plan(wanted, model_id)
    span = _span(connection, wanted)
    if span is None or any(not tag.shown for tag in wanted.tags):
        return replace(plan, empty=True)
    greatest = min(
        (one for one in (span[1], None if below is None else below - 1) if one is not None), default=None
    )
    plan = replace(plan, least=span[0], greatest=greatest)
    if not wanted.tags:
        return replace(plan, lead="words" if wanted.words else None)
    if len(wanted.tags) == 1 and not wanted.words:
        return replace(plan, lead=wanted.tags[0])
    uses = [count_uses(connection, tag, model_id, ENOUGH) for tag in wanted.tags]
    rarest = min(uses)
    lead: Members | Literal["words"] = wanted.tags[uses.index(rarest)]
    if wanted.words and rarest == ENOUGH:
        matches = count_words(connection, wanted.words, ENOUGH)
        if matches < rarest:
            rarest, lead = matches, "words"
    return replace(plan, lead=lead, ranges=rarest == ENOUGH)


def _ranges(connection: Connection, plan: _Plan) -> Iterator[tuple[int, int]]:
    """Yield ranges of numbers from the top, each larger than the last, since near ones may hold a page already."""
    last = connection.scalar(select(func.max(videos.c.id))) or 0
    top = last if plan.greatest is None else min(last, plan.greatest)
    width = FIRST_RANGE
    while top >= (plan.least or 1):
        least = max(top - width + 1, plan.least or 1)
        yield least, top
        top, width = least - 1, width * GROWTH


def _newest(connection: Connection, arms: list[Arm], limit: int) -> list[int]:
    """Return the greatest numbers of lists that together hold every match."""
    ordered = [arm.with_only_columns(key.label("id")).order_by(key.desc()).limit(limit) for arm, key in arms]
    if len(ordered) == 1:
        return list(connection.scalars(ordered[0]))
    # The column is named, not asked for: to list those of a part costs more than to have it answered.
    found = union(*(select(ID).select_from(one.subquery()) for one in ordered)).subquery()
    return list(connection.scalars(select(ID).select_from(found).order_by(ID.desc()).limit(limit)))


def _arms(connection: Connection, plan: _Plan, least: int | None, greatest: int | None) -> list[Arm]:
    """Return ordered lists that together hold every match of a range: the lead's, with what is asked of its rows."""
    if plan.empty:
        return [no_arm()]
    wanted, lead = plan.wanted, plan.lead
    if isinstance(lead, Members):
        arms = tag_arms(lead, plan.model_id)
    elif lead == "words":
        arms = [word_arm(connection, wanted.words)]
    else:
        arms = [video_arm() if wanted.owner is None else owner_arm(wanted.owner)]
    restricted = []
    for arm, key in arms:
        conditions = [] if least is None else [key >= least]
        conditions += [] if greatest is None else [key <= greatest]
        if plan.ranges and least is not None and greatest is not None:
            conditions += _candidates(connection, plan, key, least, greatest)
        conditions += [has_tag(key, tag, plan.model_id) for tag in wanted.tags if tag is not lead]
        if wanted.words and lead != "words" and not plan.ranges:
            conditions.append(has_words(connection, key, wanted.words))
        if wanted.owner is not None and lead is not None:
            mine = (video_references.c.video_id == key, video_references.c.owner == wanted.owner)
            conditions.append(exists().where(*mine))
        conditions += _of_the_video(key, wanted)
        if wanted.reviewed is not None:
            said = exists().where(verdicts.c.video_id == key)
            conditions.append(said if wanted.reviewed else ~said)
        restricted.append((arm.where(*conditions), key))
    return restricted


def _candidates(
    connection: Connection, plan: _Plan, key: ColumnElement[int], least: int, greatest: int
) -> list[ColumnElement[bool]]:
    """Return the conditions that a video stands in the lists of a range, which are read whole: that costs less than
    asking many rows one by one, and leaves few to be asked.
    """
    wanted = plan.wanted
    lists: list[Any] = [
        tag_candidates(tag, plan.model_id, least, greatest) for tag in wanted.tags if tag is not plan.lead
    ]
    if wanted.words and plan.lead != "words":
        lists.append(word_candidates(connection, wanted.words, least, greatest))
    return [key.in_(one) for one in lists]


def _span(connection: Connection, wanted: Filter) -> tuple[int | None, int | None] | None:
    """Return the least and the greatest number of the videos of the time that is asked for; None if there are none.

    They follow the time but where a clock was set back; so a search begins and ends where the time does, instead of
    walking through all that came later or before.
    """
    if wanted.since is None and wanted.until is None:
        return None, None
    bounds = _bounds(videos.c.added_at, wanted)
    if wanted.until is None and count(connection, select(videos.c.id).where(*bounds), SPAN) == SPAN:
        return None, None  # the first page ends long before the time does
    least, greatest = connection.execute(
        select(func.min(videos.c.id), func.max(videos.c.id)).where(*bounds)
    ).one()
    return None if least is None else (least, greatest)


def _of_the_video(key: ColumnElement[int], wanted: Filter) -> list[ColumnElement[bool]]:
    """Return what is asked of a video's own row."""
    if key is VIDEOS.c.id:
        # A plain column would have its index taken, and every match sorted; the numbers are bounded already.
        conditions = _bounds(func.coalesce(VIDEOS.c.added_at, VIDEOS.c.added_at), wanted)
        return conditions + ([] if wanted.shelf is None else [VIDEOS.c.shelf == wanted.shelf])
    conditions = _bounds(videos.c.added_at, wanted)
    conditions += [] if wanted.shelf is None else [videos.c.shelf == wanted.shelf]
    return [exists().where(videos.c.id == key, *conditions)] if conditions else []


def _bounds(moment: ColumnElement[datetime], wanted: Filter) -> list[ColumnElement[bool]]:
    conditions = []
    if wanted.since is not None:
        conditions.append(moment >= wanted.since)
    if wanted.until is not None:
        conditions.append(moment < wanted.until)
    return conditions
