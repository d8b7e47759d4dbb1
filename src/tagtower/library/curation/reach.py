"""How far a change reaches: the suggestions and verdicts, and the videos, of the tags that it touches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, func, select, union

from tagtower.library.curation.plan import Edit
from tagtower.library.curation.reading import chunks
from tagtower.library.schema import models, suggestions, tags, verdicts

TOGETHER = 10_000
"""Tags whose videos one statement counts; of more, the numbers of their videos are gathered here."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Suggestions of the active model, verdicts, and the videos that have one of them."""

    suggestions: int = 0
    verdicts: int = 0
    videos: int = 0

    def to_json(self) -> dict[str, int]:
        """Return it for a reader of JSON."""
        return asdict(self)


def reach(connection: Connection, tag_ids: Iterable[int]) -> Reach:
    """Return the reach of these tags, and of the tags that are merged into them."""
    ids = sorted(set(tag_ids) - {0})
    if not ids:
        return Reach()
    every = set(ids)
    for some in chunks(ids):
        every.update(connection.scalars(select(tags.c.id).where(tags.c.merged_into.in_(some))))
    active = select(models.c.id).where(models.c.state == "active").scalar_subquery()
    suggested = judged = counted = 0
    videos: set[int] = set()
    for some in chunks(sorted(every), TOGETHER):
        of_model = suggestions.c.tag_id.in_(some) & (suggestions.c.model_id == active)
        of_persons = verdicts.c.tag_id.in_(some)
        suggested += connection.scalar(select(func.count()).select_from(suggestions).where(of_model)) or 0
        judged += connection.scalar(select(func.count()).select_from(verdicts).where(of_persons)) or 0
        either = union(
            select(suggestions.c.video_id).where(of_model), select(verdicts.c.video_id).where(of_persons)
        )
        if len(every) > TOGETHER:
            videos.update(connection.scalars(either))
        else:
            counted = connection.scalar(select(func.count()).select_from(either.subquery())) or 0
    return Reach(suggested, judged, max(counted, len(videos)))


def reach_of(connection: Connection, edits: Iterable[Edit]) -> Reach:
    """Return the reach of the tags that are edited and were there before."""
    return reach(connection, (edit.tag_id for edit in edits if edit.before is not None))
