"""What persons say of a video's tags: the last word on each, which outlives models, merges and retirements.

A word belongs to the tag as it is read today: one on a merged tag counts for the tag that it was merged into. Every
function works inside its caller's transaction and is told the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, delete, func, insert, select

from tagtower.errors import ConflictError, NotFoundError
from tagtower.library.curation.committing import check_author
from tagtower.library.schema import suggestions, verdicts, videos
from tagtower.library.videos.shown import YES, Members, active_model_id

Verdict: TypeAlias = Literal["accept", "reject", "add"]

TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Said:
    """What became of a word: the verdict that stands now, None where it was withdrawn, and the one before."""

    video_id: int
    tag_id: int
    tag: str
    verdict: Verdict | None
    before: Verdict | None

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return {
            "video": self.video_id,
            "tag": self.tag,
            "tag_id": self.tag_id,
            "verdict": self.verdict,
            "before": self.before,
        }


def give_verdict(
    connection: Connection, video_id: int, tag: Members, verdict: Verdict, *, author: str, at: datetime
) -> Said:
    """Let this be the last word on a tag of a video, and keep beside it which suggestion was judged, if any.

    An `accept` of a tag that the active model did not suggest is kept as `add`. The same word of the same person
    again changes nothing.

    Raises:
        NotFoundError: there is no such video.
        ConflictError: the tag is not in use, and the word is a yes.
    """
    author = check_author(author)
    # The number is locked, so that two words at once have an order.
    found = connection.scalar(select(videos.c.id).where(videos.c.id == video_id).with_for_update())
    if found is None:
        raise NotFoundError(f"There is no video {video_id}.", hint="It may have been erased.")
    if verdict in YES and not tag.shown:
        raise ConflictError(
            f"The tag {tag.text!r} is not in use.",
            hint=f"Take it into use with: tagtower tags HOME restore {tag.text!r}",
        )
    judged = _judged(connection, video_id, tag)
    if verdict == "accept" and judged is None:
        verdict = "add"
    mine = _of(video_id, tag)
    rows = connection.execute(
        select(verdicts.c.tag_id, verdicts.c.verdict, verdicts.c.author, verdicts.c.at)
        .where(mine)
        .order_by(verdicts.c.at.desc(), verdicts.c.tag_id)
    ).all()
    before = rows[0].verdict if rows else None
    if rows and rows[0].verdict == verdict and rows[0].author == author:
        return Said(video_id, tag.tag_id, tag.text, verdict, before)
    # By the clock, but never before an earlier word, whatever the clock did meanwhile.
    moment = max([at, *(row.at + TICK for row in rows)])
    values: dict[str, Any] = {"verdict": verdict, "author": author, "at": moment, **(judged or NOT_JUDGED)}
    if any(row.tag_id == tag.tag_id for row in rows):
        own = verdicts.update().where(verdicts.c.video_id == video_id, verdicts.c.tag_id == tag.tag_id)
        connection.execute(own.values(values))
    else:
        connection.execute(insert(verdicts).values(video_id=video_id, tag_id=tag.tag_id, **values))
    return Said(video_id, tag.tag_id, tag.text, verdict, before)


NOT_JUDGED: dict[str, Any] = {"model_id": None, "score": None, "distance": None}


def withdraw_verdict(connection: Connection, video_id: int, tag: Members) -> Said:
    """Let there be no word on a tag of a video; that of tags merged into it goes too.

    Raises:
        NotFoundError: there is no such video.
    """
    if connection.scalar(select(videos.c.id).where(videos.c.id == video_id).with_for_update()) is None:
        raise NotFoundError(f"There is no video {video_id}.", hint="It may have been erased.")
    newest = select(verdicts.c.verdict).where(_of(video_id, tag)).order_by(verdicts.c.at.desc()).limit(1)
    before = connection.scalar(newest)
    connection.execute(delete(verdicts).where(_of(video_id, tag)))
    return Said(video_id, tag.tag_id, tag.text, None, before)


def count_verdicts(connection: Connection) -> dict[str, int]:
    """Return how many words there are by verdict, those on merged and retired tags included."""
    rows = connection.execute(select(verdicts.c.verdict, func.count()).group_by(verdicts.c.verdict))
    return {str(verdict): int(count) for verdict, count in rows}


def _of(video_id: int, tag: Members) -> Any:
    return (verdicts.c.video_id == video_id) & verdicts.c.tag_id.in_(tag.ids)


def _judged(connection: Connection, video_id: int, tag: Members) -> dict[str, Any] | None:
    """The suggestion of the active model that a word is about."""
    model_id = active_model_id(connection)
    if model_id is None:
        return None
    row = connection.execute(
        select(suggestions.c.score, suggestions.c.distance)
        .where(
            suggestions.c.video_id == video_id,
            suggestions.c.model_id == model_id,
            suggestions.c.tag_id.in_(tag.ids),
        )
        .order_by(suggestions.c.score.desc(), suggestions.c.distance)
        .limit(1)
    ).first()
    return None if row is None else {"model_id": model_id, "score": row.score, "distance": row.distance}
