"""Videos by one condition each, as questions whose rows come in the order of an index: a page of them reads a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    column,
    func,
    literal,
    select,
    union_all,
)
from sqlalchemy import table as named_table
from sqlalchemy import text as sql

from tagtower.library.schema import suggestions, verdicts, video_references, videos
from tagtower.library.videos.shown import YES, Members, is_barred, latest_verdict
from tagtower.library.videos.words import Asked, fts5_query, ts_query

MANY_MEMBERS = 50
"""A tag that more tags were merged into is read as one list, sorted, in place of one ordered list for each."""

# The outer tables of questions; conditions ask the same tables by their own names.
WORDS = named_table("video_words", column("rowid"))
VIDEOS, REFERENCES = videos.alias("found"), video_references.alias("mine")
SAID, SUGGESTED = verdicts.alias("said"), suggestions.alias("suggested")

Arm: TypeAlias = tuple[Select[Any], ColumnElement[int]]
"""A question whose rows are videos, and the column with their numbers."""


def no_arm() -> Arm:
    """Return a question without an answer."""
    return select(VIDEOS.c.id).where(literal(1) == 0), VIDEOS.c.id


def word_arm(connection: Connection, asked: Sequence[Asked]) -> Arm:
    """Return the videos with all words of a search."""
    if connection.dialect.name == "sqlite":
        matching = sql("video_words MATCH :asked").bindparams(asked=fts5_query(asked))
        return select(WORDS.c.rowid).where(matching), WORDS.c.rowid
    return select(VIDEOS.c.id).where(VIDEOS.c.words.op("@@")(ts_query(asked))), VIDEOS.c.id


def tag_arms(tag: Members, model_id: int | None) -> list[Arm]:
    """Return the videos that show a tag: those of a person's yes, and the suggestions that nothing speaks against."""
    split = [(one,) for one in tag.ids] if len(tag.ids) <= MANY_MEMBERS else [tag.ids]
    arms: list[Arm] = []
    key: ColumnElement[int]
    for ids in split:
        key = SAID.c.video_id
        said = select(key).where(among(SAID.c.tag_id, ids), SAID.c.verdict.in_(YES))
        if len(tag.ids) > 1:  # the last word may be another member's
            said = said.where(latest_verdict(key, tag).in_(YES))
        arms.append((said.distinct() if len(ids) > 1 else said, key))
        if model_id is not None and tag.suggested:
            arm, key = _suggested(ids, model_id)
            arm = arm.where(latest_verdict(key, tag).is_(None), ~is_barred(key, tag))
            arms.append((arm.distinct() if len(ids) > 1 else arm, key))
    return arms


def owner_arm(owner: str) -> Arm:
    """Return the videos that an owner refers to."""
    key = REFERENCES.c.video_id
    return select(key).where(REFERENCES.c.owner == owner).distinct(), key


def video_arm() -> Arm:
    """Return every video."""
    return select(VIDEOS.c.id), VIDEOS.c.id


def tag_candidates(tag: Members, model_id: int | None, least: int, greatest: int) -> CompoundSelect[Any]:
    """Return the videos of a range of numbers that may show a tag; some are rejected or barred, and some come twice."""
    said = select(SAID.c.video_id).where(among(SAID.c.tag_id, tag.ids), SAID.c.verdict.in_(YES))
    arms: list[Arm] = [(said, SAID.c.video_id)]
    if model_id is not None and tag.suggested:
        arms.append(_suggested(tag.ids, model_id))
    return union_all(*(arm.where(key.between(least, greatest)) for arm, key in arms))


def word_candidates(connection: Connection, asked: Sequence[Asked], least: int, greatest: int) -> Select[Any]:
    """Return the videos of a range of numbers that have all words of a search."""
    arm, key = word_arm(connection, asked)
    return arm.where(key.between(least, greatest))


def count_words(connection: Connection, asked: Sequence[Asked], most: int) -> int:
    """Return how many videos have all words of a search, counting no further than `most`."""
    return count(connection, word_arm(connection, asked)[0], most)


def count_uses(connection: Connection, tag: Members, model_id: int | None, most: int) -> int:
    """Return how many words of persons and suggestions there are of a tag, whatever they are worth, up to `most`."""
    uses = count(connection, select(SAID.c.video_id).where(among(SAID.c.tag_id, tag.ids)), most)
    if uses < most and model_id is not None and tag.suggested:
        uses += count(connection, _suggested(tag.ids, model_id)[0], most - uses)
    return uses


def count(connection: Connection, rows: Select[Any], most: int) -> int:
    """Return how many rows a question has, counting no further than `most`."""
    return connection.scalar(select(func.count()).select_from(rows.limit(most).subquery())) or 0


def among(values: ColumnElement[int], ids: Sequence[int]) -> ColumnElement[bool]:
    """Return the condition that a column holds one of `ids`."""
    return values == ids[0] if len(ids) == 1 else values.in_(ids)


def _suggested(ids: Sequence[int], model_id: int) -> Arm:
    key = SUGGESTED.c.video_id
    return select(key).where(SUGGESTED.c.model_id == model_id, among(SUGGESTED.c.tag_id, ids)), key
