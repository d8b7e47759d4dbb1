"""What models suggest: which tags for which video, in which order, and with which library they were found.

Every function works inside its caller's transaction. Writing the same twice leaves the same.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, and_, delete, insert, null, select, update

from tagtower.library.schema import answers, suggestions, tags, videos

Origin: TypeAlias = Literal["model", "retro"]

AT_A_TIME = 400
"""Values in one statement, below every limit of both engines."""


@dataclass(frozen=True, slots=True)
class Suggested:
    """A tag that a model suggests; `score` is a calibrated probability in [0, 1], None without a calibration."""

    tag_id: int
    rank: int
    distance: float
    score: float | None
    evidence: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What a model says of a video: the tags that it suggests, perhaps none, and with which tag library.

    `modalities` are the gate's weights, in [0, 1]; `warnings` say what was odd about the media.
    """

    video_id: int
    suggested: Sequence[Suggested]
    library_version: int
    modalities: Mapping[str, float] | None = None
    warnings: Sequence[str] = ()


def write_suggestions(
    connection: Connection,
    video_id: int,
    model_id: int,
    suggested: Sequence[Suggested],
    *,
    origin: Origin,
    library_version: int,
    at: datetime,
) -> None:
    """Let these be the suggestions of a model for a video under an origin, in place of those before.

    What the model said when it looked at the video (`model`) comes before what a sweep found later (`retro`): of the
    same tag, the retro one is dropped. Tags that are no longer there are left out. Under `model` it is also noted that
    the model has answered, even where it suggests nothing. Neighbours that were erased meanwhile are no evidence any
    more.
    """
    if origin == "model":
        write_model_answers(connection, model_id, [ModelAnswer(video_id, suggested, library_version)], at=at)
        return
    there = _present(connection, [one.tag_id for one in suggested])
    own = and_(suggestions.c.video_id == video_id, suggestions.c.model_id == model_id)
    connection.execute(delete(suggestions).where(own, suggestions.c.origin == origin))
    others = set(connection.scalars(select(suggestions.c.tag_id).where(own)))
    rows = [
        _row(video_id, model_id, one, origin, library_version, at)
        for one in _of_the_living(connection, suggested)
        if one.tag_id in there and one.tag_id not in others
    ]
    if rows:
        connection.execute(insert(suggestions), rows)


def write_model_answers(
    connection: Connection, model_id: int, given: Sequence[ModelAnswer], *, at: datetime
) -> None:
    """Write what a model says of videos, as `write_suggestions` does, in as few statements as for one."""
    there = _present(connection, {one.tag_id for answer in given for one in answer.suggested})
    living = iter(_of_the_living(connection, [one for answer in given for one in answer.suggested]))
    wanted: dict[tuple[int, int], dict[str, Any]] = {}
    for answer in given:
        for one in islice(living, len(answer.suggested)):
            if one.tag_id in there:
                row = _row(answer.video_id, model_id, one, "model", answer.library_version, at)
                wanted[answer.video_id, one.tag_id] = row
    for part in _parts([answer.video_id for answer in given]):
        for table in (suggestions, answers):
            own = and_(table.c.model_id == model_id, table.c.video_id.in_(part))
            gone = delete(table).where(own)
            connection.execute(gone if table is answers else gone.where(suggestions.c.origin == "model"))
        found_later = connection.execute(
            select(suggestions.c.video_id, suggestions.c.tag_id).where(
                suggestions.c.model_id == model_id, suggestions.c.video_id.in_(part)
            )
        )
        for video_id, tag_id in [tuple(row) for row in found_later if tuple(row) in wanted]:
            connection.execute(
                delete(suggestions).where(
                    suggestions.c.model_id == model_id,
                    suggestions.c.video_id == video_id,
                    suggestions.c.tag_id == tag_id,
                )
            )
    if wanted:
        connection.execute(insert(suggestions), list(wanted.values()))
    if given:
        connection.execute(insert(answers), [_answer_row(model_id, one, at) for one in given])


def add_retro(
    connection: Connection,
    model_id: int,
    found: Iterable[tuple[int, Suggested]],
    *,
    library_version: int,
    at: datetime,
) -> int:
    """Add what a sweep found, pairs of video and suggestion, beside what is there; return how many are new.

    A tag that the model suggested itself, or that an earlier sweep found, stays as it was, but the sweep's figures
    replace those of an earlier one. Ranks of retro suggestions follow their scores, or distances without any; those
    that are given play no part.
    """
    by_video: dict[int, dict[int, Suggested]] = {}
    for video_id, one in found:
        by_video.setdefault(video_id, {})[one.tag_id] = one
    there = _present(connection, {tag for own in by_video.values() for tag in own})
    added = 0
    for part in _parts(sorted(by_video)):
        rows = connection.execute(
            select(
                suggestions.c.video_id,
                suggestions.c.tag_id,
                suggestions.c.origin,
                suggestions.c.score,
                suggestions.c.distance,
                suggestions.c.rank,
            ).where(suggestions.c.model_id == model_id, suggestions.c.video_id.in_(part))
        ).all()
        present = {(row.video_id, row.tag_id): row for row in rows}
        new: list[dict[str, Any]] = []
        for video_id in part:
            fresh = {
                tag: one
                for tag, one in by_video[video_id].items()
                if tag in there
                and ((video_id, tag) not in present or present[video_id, tag].origin == "retro")
            }
            added += sum((video_id, tag) not in present for tag in fresh)
            before = {
                row.tag_id: Suggested(row.tag_id, row.rank, row.distance, row.score)
                for row in rows
                if row.video_id == video_id and row.origin == "retro"
            }
            new += _rerank(connection, video_id, model_id, before, fresh, library_version, at)
        if new:
            connection.execute(insert(suggestions), new)
    return added


def forget_answers(connection: Connection, video_ids: Collection[int], model_id: int | None = None) -> None:
    """Remove the suggestions for videos, and the notes that they were answered; of one model or of all."""
    for part in _parts(list(video_ids)):
        for table in (suggestions, answers):
            gone = delete(table).where(table.c.video_id.in_(part))
            connection.execute(gone if model_id is None else gone.where(table.c.model_id == model_id))


def _rerank(
    connection: Connection,
    video_id: int,
    model_id: int,
    before: Mapping[int, Suggested],
    fresh: Mapping[int, Suggested],
    library_version: int,
    at: datetime,
) -> list[dict[str, Any]]:
    """Make room for the fresh suggestions of a video among those before, and return the rows that fill it."""
    every = {**before, **fresh}
    order = sorted(
        every.values(),
        key=lambda one: (-(-1.0 if one.score is None else one.score), one.distance, one.tag_id),
    )
    rows = []
    for rank, one in enumerate(order, start=1):
        key = and_(
            suggestions.c.video_id == video_id,
            suggestions.c.model_id == model_id,
            suggestions.c.tag_id == one.tag_id,
        )
        if one.tag_id in fresh:
            if one.tag_id in before:
                connection.execute(delete(suggestions).where(key))
            ranked = Suggested(one.tag_id, rank, one.distance, one.score, one.evidence)
            rows.append(_row(video_id, model_id, ranked, "retro", library_version, at))
        elif one.rank != rank:
            connection.execute(update(suggestions).where(key).values(rank=rank))
    return rows


def _answer_row(model_id: int, answer: ModelAnswer, at: datetime) -> dict[str, Any]:
    return {
        "video_id": answer.video_id,
        "model_id": model_id,
        "library_version": answer.library_version,
        "at": at,
        "modalities": null() if answer.modalities is None else dict(answer.modalities),
        "warnings": list(answer.warnings) or null(),
    }


def _of_the_living(connection: Connection, suggested: Sequence[Suggested]) -> list[Suggested]:
    """The suggestions with the evidence of such stored videos as are there, and stay until the transaction ends."""
    named = {number for one in suggested for number in map(_number, _neighbours(one)) if number is not None}
    if not named:
        return list(suggested)
    living: set[int] = set()
    for part in _parts(sorted(named)):
        rows = select(videos.c.id).where(videos.c.id.in_(part)).order_by(videos.c.id)
        living.update(connection.scalars(rows.with_for_update(read=True, key_share=True)))
    kept = []
    for one in suggested:
        found = [each for each in _neighbours(one) if (number := _number(each)) is None or number in living]
        if len(found) == len(_neighbours(one)):
            kept.append(one)
        else:
            kept.append(replace(one, evidence={**(one.evidence or {}), "neighbours": found}))
    return kept


def _neighbours(one: Suggested) -> list[dict[str, Any]]:
    return list((one.evidence or {}).get("neighbours", ()))


def _number(neighbour: Mapping[str, Any]) -> int | None:
    """The number of a neighbour that is a stored video, None for one of the model's own."""
    if isinstance(neighbour.get("video"), int):
        return int(neighbour["video"])
    named = re.fullmatch(r"video:([0-9]{1,18})", str(neighbour.get("id")))
    return int(named[1]) if named else None


def _present(connection: Connection, wanted: Collection[int]) -> set[int]:
    """Those tags that are there, and stay there until the transaction ends."""
    found: set[int] = set()
    for part in _parts(sorted(set(wanted))):
        rows = select(tags.c.id).where(tags.c.id.in_(part)).order_by(tags.c.id)
        found.update(connection.scalars(rows.with_for_update(read=True, key_share=True)))
    return found


def _row(
    video_id: int, model_id: int, one: Suggested, origin: Origin, library_version: int, at: datetime
) -> dict[str, Any]:
    return {
        "video_id": video_id,
        "model_id": model_id,
        "tag_id": one.tag_id,
        "rank": one.rank,
        "distance": one.distance,
        "score": one.score,
        "origin": origin,
        "evidence": null() if one.evidence is None else dict(one.evidence),
        "library_version": library_version,
        "at": at,
    }


def _parts(values: Sequence[Any]) -> list[Sequence[Any]]:
    return [values[start : start + AT_A_TIME] for start in range(0, len(values), AT_A_TIME)]
