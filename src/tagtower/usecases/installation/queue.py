"""Which videos a person should look at next: where a new tag waits for its first verdicts, then where the model doubts.

A probability near one half teaches most and is most often wrong. Only the newest videos are weighed, so that the
answer takes the same time however many are stored.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, select

from tagtower.library.schema import suggestions, sweeps, tags, verdicts
from tagtower.library.videos.find import Filter, find_ids
from tagtower.library.videos.shown import active_model_id, shown_tags
from tagtower.usecases.installation.home import Installation

WINDOW = 400
"""Newest videos without a verdict that are weighed against each other; some 100 ms of reading."""

NEW_TAGS, OF_EACH = 20, 40
"""Tags of the latest sweeps whose videos come first, and videos of each."""

SURE = 0.5
"""The doubt of a tag of which the model is certain, either way, or gives no probability."""

Why: TypeAlias = Literal["new tag", "unsure", "unreviewed"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A video that waits for a person: why it comes when it does, and how many of its tags are open.

    `doubt` is the least distance of a probability to one half, in [0, 0.5].
    """

    video_id: int
    why: Why
    tag: str
    doubt: float
    open: int

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return {
            "video": self.video_id,
            "why": self.why,
            "tag": self.tag,
            "doubt": self.doubt,
            "open": self.open,
        }


@dataclass(frozen=True, slots=True)
class Queue:
    """The first of the waiting videos, and how many of those that were weighed wait."""

    first: tuple[Waiting, ...]
    waiting: int

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return {"waiting": self.waiting, "videos": [one.to_json() for one in self.first]}


def review_queue(installation: Installation, *, limit: int = 20, skip: Collection[int] = ()) -> Queue:
    """Return the videos to look at next, the most useful first; those in `skip` are left out."""
    with installation.database.read() as connection:
        model_id = active_model_id(connection)
        if model_id is None:
            return Queue((), 0)
        fresh = _fresh(connection, model_id)
        unseen = find_ids(connection, Filter(shelf="labelled", reviewed=False), model_id, limit=WINDOW)
        ids = list(dict.fromkeys([*fresh, *unseen]))
        shown = shown_tags(connection, ids, model_id)
    waiting = []
    passed = set(skip)
    for video_id in ids:
        open_ = [one for one in shown.get(video_id, ()) if one.origin != "person"]
        if not open_ or video_id in passed:
            continue
        new = [one for one in open_ if one.tag_id in fresh.get(video_id, ())]
        doubt, tag = min(
            (SURE if one.score is None else abs(one.score - 0.5), one.tag) for one in new or open_
        )
        why: Why = "new tag" if new else "unsure" if doubt < SURE else "unreviewed"
        waiting.append(Waiting(video_id, why, tag, doubt, len(open_)))
    waiting.sort(key=lambda one: (one.why != "new tag", one.doubt, -one.video_id))
    return Queue(tuple(waiting[:limit]), len(waiting))


def _fresh(connection: Connection, model_id: int) -> dict[int, set[int]]:
    """Return the videos that the latest sweeps found and on which nobody has judged the tag, with these tags."""
    done = sweeps.c.done_at.is_not(None)
    latest = connection.scalars(
        select(sweeps.c.tag_id)
        .join(tags, tags.c.id == sweeps.c.tag_id)
        .where(sweeps.c.model_id == model_id, done, sweeps.c.hits > 0, tags.c.state == "active")
        .order_by(sweeps.c.done_at.desc(), sweeps.c.tag_id.desc())
        .limit(NEW_TAGS)
    ).all()
    found: dict[int, set[int]] = {}
    for tag_id in latest:
        judged = select(verdicts.c.video_id).where(verdicts.c.tag_id == tag_id)
        hits = connection.scalars(
            select(suggestions.c.video_id)
            .where(
                suggestions.c.tag_id == tag_id,
                suggestions.c.model_id == model_id,
                suggestions.c.origin == "retro",
                suggestions.c.video_id.not_in(judged),
            )
            .order_by(suggestions.c.distance, suggestions.c.video_id)
            .limit(OF_EACH)
        )
        for video_id in hits:
            found.setdefault(video_id, set()).add(tag_id)
    return found
