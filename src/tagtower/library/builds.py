"""Building a model beside the active one: which labelled videos it has not seen, and the leases on them.

Every function works inside its caller's transaction and is told the time. A row of `builds` stands for a video that is
in work under a model, or failed there; once the model has its vector, the row is gone.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, delete, func, null, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from tagtower.config.installation import WorkerSettings
from tagtower.library.schema import builds, vectors, videos
from tagtower.library.shelves import AT_A_TIME, Failure, LeasedVideo, back_off, lease_length

COLUMNS = ("id", "media", "stored", "content_hash", "title", "description", "subtitles", "published_at")


def is_complete(connection: Connection, model_id: int) -> bool:
    """Return whether a model has the vector of every labelled video, or of more; both are counted from an index."""
    labelled = select(func.count()).where(videos.c.shelf == "labelled")
    built = select(func.count()).where(vectors.c.model_id == model_id)
    return (connection.scalar(built) or 0) >= (connection.scalar(labelled) or 0)


def take_builds(
    connection: Connection,
    model_id: int,
    worker: str,
    count: int,
    *,
    after: int,
    now: datetime,
    rules: WorkerSettings,
) -> list[LeasedVideo]:
    """Lease up to `count` labelled videos that a model has not seen, in the order of their numbers.

    A lease that ran out counts as a failed attempt of its video, since the video may be what ended the worker.

    Args:
        after: only videos with a higher number; whoever goes on from the last one does not look at the same again.
    """
    mine = and_(builds.c.model_id == model_id, builds.c.video_id == videos.c.id)
    has_vector = select(vectors.c.video_id).where(
        vectors.c.model_id == model_id, vectors.c.video_id == videos.c.id
    )
    chosen = connection.execute(
        select(*(videos.c[name] for name in COLUMNS))
        .select_from(videos.outerjoin(builds, mine))
        .where(
            videos.c.shelf == "labelled",
            videos.c.id > after,
            ~has_vector.exists(),
            or_(builds.c.video_id.is_(None), _free(now, rules)),
        )
        .order_by(videos.c.id)
        .limit(count)
        .with_for_update(of=videos, key_share=True, skip_locked=True)
    ).all()
    if not chosen:
        return []
    token = secrets.token_hex(16)
    attempts = _lease(connection, model_id, [row.id for row in chosen], token, worker, now, rules)
    return [
        LeasedVideo(
            row.id,
            token,
            attempts[row.id],
            row.media,
            row.stored,
            row.content_hash,
            row.title,
            row.description,
            row.subtitles,
            row.published_at,
        )
        for row in chosen
        if row.id in attempts
    ]


def renew_builds(
    connection: Connection, tokens: Collection[str], *, now: datetime, rules: WorkerSettings
) -> None:
    """Lengthen the leases under `tokens`."""
    connection.execute(
        update(builds)
        .where(builds.c.lease_token.in_(list(tokens)))
        .values(lease_until=now + lease_length(rules))
    )


def finish_builds(connection: Connection, model_id: int, ids: Sequence[int], token: str) -> set[int]:
    """End the leases of videos that a model has seen and return which: those that `token` still holds.

    The others were taken over, erased, or taken from the labelled shelf meanwhile: their results must not be written.
    """
    held: set[int] = set()
    for start in range(0, len(ids), AT_A_TIME):
        part = ids[start : start + AT_A_TIME]
        chosen = and_(
            builds.c.model_id == model_id, builds.c.video_id.in_(part), builds.c.lease_token == token
        )
        held.update(
            connection.scalars(
                select(videos.c.id)
                .join(builds, builds.c.video_id == videos.c.id)
                .where(chosen, videos.c.shelf == "labelled")
                .order_by(videos.c.id)
                .with_for_update(of=videos, read=True)
            )
        )
        connection.execute(delete(builds).where(chosen))
    return held


def fail_build(
    connection: Connection,
    model_id: int,
    video_id: int,
    token: str,
    failure: Failure,
    *,
    now: datetime,
    rules: WorkerSettings,
) -> bool | None:
    """Note that a model could not look at a video: True if it is tried again, None if the lease was lost."""
    mine = and_(builds.c.model_id == model_id, builds.c.video_id == video_id, builds.c.lease_token == token)
    attempts = connection.scalar(select(builds.c.attempts).where(mine).with_for_update())
    if attempts is None:
        return None
    attempts = rules.attempts if failure.lasting else attempts + 1
    again = attempts < rules.attempts
    connection.execute(
        update(builds)
        .where(mine)
        .values(
            **_unleased(),
            attempts=attempts,
            not_before=now + back_off(attempts, rules) if again else null(),
            error=failure.to_json(),
        )
    )
    return again


def release_builds(connection: Connection, token: str) -> None:
    """Give back the videos under a token, untouched."""
    connection.execute(update(builds).where(builds.c.lease_token == token).values(**_unleased()))


def _free(now: datetime, rules: WorkerSettings) -> ColumnElement[bool]:
    until = builds.c.lease_until
    return and_(
        builds.c.attempts < rules.attempts,
        # One that ends later than two leases from now was given by a clock that has been set back since.
        or_(until.is_(None), until <= now, until > now + 2 * lease_length(rules)),
        or_(builds.c.not_before.is_(None), builds.c.not_before <= now),
    )


def _lease(
    connection: Connection,
    model_id: int,
    ids: Sequence[int],
    token: str,
    worker: str,
    now: datetime,
    rules: WorkerSettings,
) -> dict[int, int]:
    """Enter leases where nobody else has one, and return the failed attempts of each video that was leased."""
    insert: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    leased = {"lease_token": token, "lease_worker": worker, "lease_until": now + lease_length(rules)}
    rows = [{"model_id": model_id, "video_id": one, "attempts": 0, **leased} for one in ids]
    statement = insert(builds).values(rows)
    lost = case((builds.c.lease_token.is_not(None), 1), else_=0)
    statement = statement.on_conflict_do_update(
        index_elements=[builds.c.model_id, builds.c.video_id],
        set_={**leased, "attempts": builds.c.attempts + lost},
        where=_free(now, rules),
    ).returning(builds.c.video_id, builds.c.attempts)
    return dict(connection.execute(statement).tuples().all())


def _unleased() -> dict[str, Any]:
    return {"lease_token": None, "lease_worker": None, "lease_until": None}
