"""Which tags a video shows: what persons said of it, then what the active model suggests and nothing speaks against.

Merged and retired tags are resolved here, on reading: what is stored stays with the tag that it was said of.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeAlias

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    ScalarSelect,
    and_,
    bindparam,
    func,
    literal,
    null,
    or_,
    select,
)

from tagtower.errors import NotFoundError
from tagtower.library.schema import barred, models, suggestions, tag_names, tags, verdicts
from tagtower.library.tags import normalize_tag
from tagtower.storage.rows import shorten, text_fault

TagOrigin: TypeAlias = Literal["person", "model", "retro"]
_Suggestion: TypeAlias = tuple[tuple[Any, ...], str, float, float | None, Any]
"""What it is ordered by, with its origin at the end; the tag's text; distance, score and evidence."""

OWN, ROOT = tags.alias("own"), tags.alias("root")  # once: to make one costs as much as a question

YES = ("accept", "add")
"""The verdicts by which a video has a tag."""

_VIDEO_IDS: BindParameter[Any] = bindparam("video_ids", expanding=True)


def _rooted(table: Any, *columns: Any) -> Any:
    """Return what a table holds of videos, each row with the tag as which its own is read today."""
    return (
        select(table.c.video_id, ROOT.c.id.label("tag_id"), ROOT.c.text.label("tag"), ROOT.c.state, *columns)
        .select_from(table)
        .join(tags, tags.c.id == table.c.tag_id)
        .join(ROOT, ROOT.c.id == func.coalesce(tags.c.merged_into, tags.c.id))
        .where(table.c.video_id.in_(_VIDEO_IDS))
    )


# Made once: to put such a question together costs more than to have a page of videos answered.
SAID_OR_BARRED = _rooted(
    verdicts, verdicts.c.verdict, verdicts.c.author, verdicts.c.at, verdicts.c.tag_id.label("own")
).union_all(
    _rooted(
        barred,
        literal("barred").label("verdict"),
        literal("").label("author"),
        null().label("at"),
        barred.c.tag_id.label("own"),
    )
)
PRESENT = (
    select(tags.c.id, ROOT.c.id, ROOT.c.text, ROOT.c.state, ROOT.c.suggestable)
    .join(ROOT, ROOT.c.id == func.coalesce(tags.c.merged_into, tags.c.id))
    .where(tags.c.id.in_(bindparam("tag_ids", expanding=True)))
)
_SUGGESTIONS = [suggestions.c[name] for name in ("video_id", "tag_id", "rank", "distance", "score", "origin")]
WITHOUT_EVIDENCE, WITH_EVIDENCE = (
    select(*_SUGGESTIONS, spoke).where(
        suggestions.c.model_id == bindparam("model_id"), suggestions.c.video_id.in_(_VIDEO_IDS)
    )
    for spoke in (null().label("evidence"), suggestions.c.evidence)
)


class ShownTag(NamedTuple):
    """A tag that a video shows, under its present name.

    `origin` says who gave it: a person (accepted or added), the model when it looked at the video, or a later sweep
    for a new tag. `distance`, `score` and `evidence` are the model's, None where it did not suggest the tag.
    """

    tag_id: int
    tag: str
    origin: TagOrigin
    distance: float | None = None
    score: float | None = None
    evidence: Any = None

    def to_json(self, *, evidence: bool = False) -> dict[str, Any]:
        """Return the tag for a reader of JSON."""
        found: dict[str, Any] = {
            "tag": self.tag,
            "id": self.tag_id,
            "origin": self.origin,
            "distance": self.distance,
            "score": self.score,
        }
        return {**found, "evidence": self.evidence} if evidence else found


@dataclass(frozen=True, slots=True)
class SaidTag:
    """The last word of a person on a tag of a video."""

    tag_id: int
    tag: str
    verdict: str
    author: str
    at: datetime
    state: str

    def to_json(self) -> dict[str, Any]:
        """Return the verdict for a reader of JSON; `state` is that of the tag today."""
        return {
            "tag": self.tag,
            "id": self.tag_id,
            "verdict": self.verdict,
            "author": self.author,
            "at": self.at.isoformat(),
            "state": self.state,
        }


@dataclass(frozen=True, slots=True)
class Members:
    """A tag under its present name, and the numbers of all tags that are read as it: its own and those merged into it.

    `shown` says whether videos show it at all, `suggested` whether they show it where only a model says so.
    """

    tag_id: int
    text: str
    ids: tuple[int, ...]
    shown: bool
    suggested: bool


def active_model_id(connection: Connection) -> int | None:
    """Return the number of the active model, None before the first."""
    return connection.scalar(select(models.c.id).where(models.c.state == "active"))


def members_of(connection: Connection, tag: str | int) -> Members:
    """Return the tag that a text names, by its name or an alias in any spelling or as `#NUMBER`; or that has a number.

    Raises:
        NotFoundError: there is none.
    """
    found: Members | None = None
    if isinstance(tag, int):
        found = _members(connection, _root_of(tag))
    else:
        if text_fault(tag) is None:  # no tag has such a name, and no database would take the question
            key = normalize_tag(tag)
            named = select(tag_names.c.tag_id).where(tag_names.c.key == key)
            found = _members(connection, named.scalar_subquery())
        numbered = re.fullmatch(r"#([0-9]{1,18})", tag.strip())
        if found is None and numbered:
            found = _members(connection, _root_of(int(numbered[1])))
    if found is None:
        name = f"number {tag}" if isinstance(tag, int) else shorten(tag)
        raise NotFoundError(
            f"There is no tag {name}.", hint="Look for it with: tagtower tags HOME list --search TEXT"
        )
    return found


def _root_of(tag_id: int) -> ScalarSelect[Any]:
    return select(func.coalesce(tags.c.merged_into, tags.c.id)).where(tags.c.id == tag_id).scalar_subquery()


def _members(connection: Connection, root: ScalarSelect[Any]) -> Members | None:
    rows = connection.execute(
        select(OWN.c.id, OWN.c.text, OWN.c.state, OWN.c.suggestable, OWN.c.merged_into)
        .where(or_(OWN.c.id == root, OWN.c.merged_into == root))
        .order_by(OWN.c.id)
    ).all()
    row = next((one for one in rows if one.merged_into is None), None)
    if row is None:
        return None
    active = row.state == "active"
    ids = (row.id, *(one.id for one in rows if one.id != row.id))
    return Members(row.id, row.text, ids, active, active and row.suggestable)


def latest_verdict(video_id: ColumnElement[int], members: Members) -> ColumnElement[str | None]:
    """Return the last word on a tag of a video, null where nobody said any."""
    said = select(verdicts.c.verdict).where(
        verdicts.c.video_id == video_id, verdicts.c.tag_id.in_(members.ids)
    )
    if len(members.ids) > 1:  # else there is one at most
        said = said.order_by(verdicts.c.at.desc(), verdicts.c.tag_id).limit(1)
    return said.scalar_subquery()


def is_barred(video_id: ColumnElement[int], members: Members) -> ColumnElement[bool]:
    """Return the condition that a tag is not to be suggested on a video."""
    return select(literal(1)).where(barred.c.video_id == video_id, barred.c.tag_id.in_(members.ids)).exists()


def has_tag(video_id: ColumnElement[int], members: Members, model_id: int | None) -> ColumnElement[bool]:
    """Return the condition that a video shows a tag; it is what `shown_tags` reads, as a question."""
    if not members.shown:
        return literal(1) == 0
    latest = latest_verdict(video_id, members)
    said = latest.in_(YES)
    if model_id is None or not members.suggested:
        return said
    suggested = (
        select(literal(1))
        .where(
            suggestions.c.video_id == video_id,
            suggestions.c.model_id == model_id,
            suggestions.c.tag_id.in_(members.ids),
        )
        .exists()
    )
    return or_(said, and_(suggested, latest.is_(null()), ~is_barred(video_id, members)))


def said_tags(connection: Connection, video_ids: Collection[int]) -> dict[int, tuple[SaidTag, ...]]:
    """Return the last word on each tag of videos, whatever the tag's state, by text."""
    said, _ = _said(connection, video_ids)
    return {video: _sorted(one.values()) for video, one in said.items()}


def shown_tags(
    connection: Connection, video_ids: Collection[int], model_id: int | None, *, evidence: bool = False
) -> dict[int, tuple[ShownTag, ...]]:
    """Return the tags that videos show, in three questions for all of them; videos without any are left out.

    Persons' tags come first, by text; then the suggestions, by their probability, and where the model has none by
    rank, its own before those of sweeps.
    """
    said, closed = _said(connection, video_ids)
    suggested = _suggested(connection, video_ids, model_id, said, closed, evidence=evidence)
    found: dict[int, tuple[ShownTag, ...]] = {}
    for video in [*said, *(one for one in suggested if one not in said)]:
        rest = suggested.get(video, {})
        persons = []
        for tag in _sorted(said.get(video, {}).values()):
            if tag.verdict in YES and tag.state == "active":
                model = rest.pop(tag.tag_id, None)
                figures = () if model is None else model[2:]
                persons.append(ShownTag(tag.tag_id, tag.tag, "person", *figures))
        others = [
            ShownTag(tag_id, text, order[5], *figures)
            for tag_id, (order, text, *figures) in sorted(rest.items(), key=lambda item: item[1][0])
        ]
        if persons or others:
            found[video] = (*persons, *others)
    return found


def _suggested(
    connection: Connection,
    video_ids: Collection[int],
    model_id: int | None,
    said: Mapping[int, Mapping[int, SaidTag]],
    closed: Collection[tuple[int, int]],
    *,
    evidence: bool,
) -> dict[int, dict[int, _Suggestion]]:
    """Return by video and present tag what the model suggests and nothing speaks against, the best of merged ones."""
    found: dict[int, dict[int, _Suggestion]] = {}
    if model_id is None or not video_ids:
        return found
    asked = {"model_id": model_id, "video_ids": list(video_ids)}
    rows: Any = connection.execute(WITH_EVIDENCE if evidence else WITHOUT_EVIDENCE, asked).all()
    today = _present(connection, {row[1] for row in rows})
    nothing: Mapping[int, SaidTag] = {}
    for video, own, rank, distance, score, origin, spoke in rows:
        tag_id, text, active, suggestable = today[own]
        mine = said.get(video, nothing).get(tag_id)
        if not active or (mine is not None and mine.verdict not in YES):
            continue
        if mine is None and (not suggestable or (video, tag_id) in closed):
            continue
        order = (score is None, -(score or 0.0), origin != "model", rank, distance, origin)
        own_tags = found.setdefault(video, {})
        if tag_id not in own_tags or order < own_tags[tag_id][0]:
            own_tags[tag_id] = (order, text, distance, score, spoke)
    return found


def _said(
    connection: Connection, video_ids: Collection[int]
) -> tuple[dict[int, dict[int, SaidTag]], set[tuple[int, int]]]:
    """Return the last word by video and present tag, and the pairs that are barred, in one question."""
    if not video_ids:
        return {}, set()

    said: dict[int, dict[int, SaidTag]] = {}
    newest: dict[tuple[int, int], tuple[datetime, int]] = {}
    shut: set[tuple[int, int]] = set()
    for row in connection.execute(SAID_OR_BARRED, {"video_ids": list(video_ids)}):
        key = (row.video_id, row.tag_id)
        if row.verdict == "barred":
            shut.add(key)
            continue
        stamp = (row.at, -row.own)
        if key not in newest or stamp > newest[key]:
            newest[key] = stamp
            one = SaidTag(row.tag_id, row.tag, row.verdict, row.author, row.at, row.state)
            said.setdefault(row.video_id, {})[row.tag_id] = one
    return said, shut


def _present(connection: Connection, tag_ids: Collection[int]) -> dict[int, tuple[int, str, bool, bool]]:
    """Return number and text of the tags as which tags are read today, whether these are active, and suggestable."""
    rows = connection.execute(PRESENT, {"tag_ids": list(tag_ids)})
    return {row[0]: (row[1], row[2], row[3] == "active", row[4]) for row in rows}


def _sorted(said: Iterable[SaidTag]) -> tuple[SaidTag, ...]:
    return tuple(sorted(said, key=lambda one: (normalize_tag(one.tag), one.tag_id)))
