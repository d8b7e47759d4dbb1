"""Reviewing a video: every tag that a model or a person named of it, what spoke for each, and what was said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, func, select

from tagtower.library.schema import barred, suggestions, tags
from tagtower.library.videos.shown import active_model_id, said_tags, shown_tags
from tagtower.usecases.installation.find import Shown, show_video
from tagtower.usecases.installation.home import Installation

Standing: TypeAlias = Literal["open", "accepted", "added", "rejected"]
_STANDING: dict[str, Standing] = {"accept": "accepted", "add": "added", "reject": "rejected"}


@dataclass(frozen=True, slots=True)
class ReviewedTag:
    """A tag of a video as a reviewer sees it; `author` is who spoke last, None while it is open.

    `retro` says that a sweep for a new tag found the video; `distance`, `score` and `evidence` are the active model's.
    """

    tag_id: int
    tag: str
    standing: Standing
    retro: bool
    distance: float | None
    score: float | None
    evidence: Any
    author: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the tag for a reader of JSON."""
        return {
            "tag": self.tag,
            "id": self.tag_id,
            "standing": self.standing,
            "retro": self.retro,
            "distance": self.distance,
            "score": self.score,
            "evidence": self.evidence,
            "author": self.author,
        }


@dataclass(frozen=True, slots=True)
class BarredTag:
    """A tag that is never suggested on a video, perhaps since one was barred that was merged into it."""

    tag_id: int
    tag: str


@dataclass(frozen=True, slots=True)
class Review:
    """A video under review. The order of `tags` is that of their probability and does not change with verdicts."""

    shown: Shown
    tags: tuple[ReviewedTag, ...]
    barred: tuple[BarredTag, ...]

    @property
    def open(self) -> int:
        """How many tags nobody has judged yet."""
        return sum(one.standing == "open" for one in self.tags)


def review_video(installation: Installation, video_id: int) -> Review:
    """Return a video with all its tags, rejected ones included.

    Raises:
        NotFoundError: there is none with this number.
    """
    shown = show_video(installation, video_id)
    with installation.database.read() as connection:
        model_id = active_model_id(connection)
        said = {one.tag_id: one for one in said_tags(connection, [video_id]).get(video_id, ())}
        suggested = _suggested(connection, video_id, model_id)
        now = shown_tags(connection, [video_id], model_id, evidence=True).get(video_id, ())
        closed = _barred(connection, video_id)
    names = {one.tag_id: one.tag for one in now}
    names |= {one.tag_id: one.tag for one in said.values() if one.state == "active"}
    rows = []
    for tag_id, name in names.items():
        word, model = said.get(tag_id), suggested.get(tag_id)
        rows.append(
            ReviewedTag(
                tag_id,
                name,
                "open" if word is None else _STANDING[word.verdict],
                model is not None and model.origin == "retro",
                None if model is None else model.distance,
                None if model is None else model.score,
                None if model is None else model.evidence,
                None if word is None else word.author,
            )
        )
    rows.sort(key=lambda one: (one.score is None, -(one.score or 0.0), one.distance or 9.0, one.tag))
    return Review(shown, tuple(rows), closed)


def _barred(connection: Connection, video_id: int) -> tuple[BarredTag, ...]:
    """The tags in use that are never suggested on a video, by text."""
    root = tags.alias("root")
    found = connection.execute(
        select(root.c.id, root.c.text)
        .distinct()
        .select_from(barred)
        .join(tags, tags.c.id == barred.c.tag_id)
        .join(root, root.c.id == func.coalesce(tags.c.merged_into, tags.c.id))
        .where(barred.c.video_id == video_id, root.c.state == "active")
        .order_by(root.c.text, root.c.id)
    )
    return tuple(BarredTag(one.id, one.text) for one in found)


def _suggested(connection: Connection, video_id: int, model_id: int | None) -> dict[int, Any]:
    """The best suggestion of the active model for each present tag."""
    if model_id is None:
        return {}
    rows = connection.execute(
        select(
            func.coalesce(tags.c.merged_into, tags.c.id).label("root"),
            suggestions.c.score,
            suggestions.c.distance,
            suggestions.c.origin,
            suggestions.c.evidence,
        )
        .join(tags, tags.c.id == suggestions.c.tag_id)
        .where(suggestions.c.video_id == video_id, suggestions.c.model_id == model_id)
        .order_by(suggestions.c.score.is_(None), suggestions.c.score.desc(), suggestions.c.rank)
    )
    found: dict[int, Any] = {}
    for row in rows:
        found.setdefault(row.root, row)
    return found
