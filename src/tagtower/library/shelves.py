"""The shelves of the video library, and the leases by which workers share the unlabelled one.

The unlabelled shelf is the queue: there is no other. A lease is a token and a deadline on the video's own row; whoever
finishes a video must hold its token, so a worker that was slow, or asleep, cannot put back what another has done.
Every function works inside its caller's transaction and is told the time.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

from sqlalchemy import ColumnElement, Connection, func, null, or_, select, update

from tagtower.config.installation import WorkerSettings
from tagtower.library.schema import videos

Shelf: TypeAlias = Literal["unlabelled", "labelled", "failed"]

LOST = "lost"
"""The kind of failure that is noted where a worker took a video and was never heard of again."""

LOSSES = 2
"""A lost lease counts half: whoever ends workers by force, or cuts the power, says nothing about the videos."""

SUSPECT = 2
"""After so many failed or lost attempts a video is leased alone."""

AT_A_TIME = 500
"""Ids in one statement, below every limit of both engines."""


@dataclass(frozen=True, slots=True)
class LeasedVideo:
    """An unlabelled video that one worker has for itself, under `token`, until it renews no more.

    `media` is a key of the media store where `stored`, a URI otherwise. `attempts` failed before this one.
    """

    id: int
    token: str
    attempts: int
    media: str | None
    stored: bool
    content_hash: str | None
    title: str | None
    description: str | None
    subtitles: str | None
    published_at: datetime | None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a video could not be labelled; `lasting` where another attempt would end alike."""

    kind: str
    message: str
    hint: str | None = None
    lasting: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it as the database keeps it."""
        return {"type": self.kind, "message": self.message, "hint": self.hint}


@dataclass(frozen=True, slots=True)
class ShelfCounts:
    """How many videos stand on each shelf; of the unlabelled, `leased` are in work and `waiting` failed before."""

    unlabelled: int
    labelled: int
    failed: int
    leased: int
    waiting: int

    @property
    def all(self) -> int:
        """Every video there is."""
        return self.unlabelled + self.labelled + self.failed

    def to_json(self) -> dict[str, int]:
        """Return the counts by name."""
        return {
            "unlabelled": self.unlabelled,
            "labelled": self.labelled,
            "failed": self.failed,
            "leased": self.leased,
            "waiting": self.waiting,
        }


def take(
    connection: Connection, worker: str, count: int, *, now: datetime, rules: WorkerSettings
) -> list[LeasedVideo]:
    """Lease up to `count` unlabelled videos to `worker`: those whose next attempt is due, then the oldest.

    A lease that ran out is a lost attempt of its video, which may be what ended the worker. Once is nothing; from then
    on the video waits, each time twice as long, and lost for the `LOSSES`-fold of the attempts that a video has, it
    goes to the failed shelf. One that failed or was lost twice is leased alone, so that it takes no others with it.
    """
    while True:
        fresh: list[Any] = []
        settled = False
        for row in _free(connection, count, now, rules):
            lost = row.lease_token is not None
            attempts = row.attempts + lost
            if lost and attempts >= LOSSES * rules.attempts:
                _end(connection, row.id, _lost(row), attempts, now)
            elif lost and attempts > 1:
                _wait(connection, row.id, _lost(row), attempts, now + back_off(attempts - 1, rules))
            else:
                fresh.append(row)
                continue
            settled = True
        if not settled:
            break
    if fresh and fresh[0].attempts >= SUSPECT:
        fresh = fresh[:1]
    chosen = [row for row in fresh if row.attempts < SUSPECT or len(fresh) == 1]
    token = secrets.token_hex(16)
    lease = {"lease_token": token, "lease_worker": worker, "lease_until": now + lease_length(rules)}
    if chosen:
        ids = [row.id for row in chosen]
        connection.execute(update(videos).where(videos.c.id.in_(ids)).values(lease))
    for row in chosen:
        if row.lease_token is not None:
            noted = {"attempts": row.attempts + 1, "error": _lost(row).to_json()}
            connection.execute(update(videos).where(videos.c.id == row.id).values(noted))
    return [_leased(row, token) for row in chosen]


def has_due(connection: Connection, *, now: datetime, rules: WorkerSettings) -> bool:
    """Return whether there is a video to take, without taking any."""
    waits = videos.c.not_before
    longest = now + timedelta(seconds=rules.backoff_ceiling_seconds)
    free = select(videos.c.id).where(videos.c.shelf == "unlabelled", lapsed(now, rules)).limit(1)
    return any(
        connection.scalar(free.where(due)) is not None
        for due in (waits.is_(None), or_(waits <= now, waits > longest))
    )


def renew(connection: Connection, tokens: Collection[str], *, now: datetime, rules: WorkerSettings) -> int:
    """Lengthen the leases under `tokens`, and return how many videos they still hold."""
    done = 0
    for part in _parts(list(tokens)):
        changed = connection.execute(
            update(videos)
            .where(videos.c.lease_token.in_(part), videos.c.shelf == "unlabelled")
            .values(lease_until=now + lease_length(rules))
        )
        done += changed.rowcount
    return done


def complete(connection: Connection, ids: Sequence[int], token: str, *, now: datetime) -> set[int]:
    """Put leased videos on the labelled shelf and return which: those that `token` still holds.

    The others were taken over, finished or erased meanwhile; whoever asks must not write results for them.
    """
    done: set[int] = set()
    for part in _parts(ids):
        found = connection.execute(
            update(videos)
            .where(videos.c.id.in_(part), videos.c.lease_token == token, videos.c.shelf == "unlabelled")
            .values(**_moved("labelled", now), error=null(), attempts=0)
            .returning(videos.c.id)
        )
        done.update(found.scalars())
    return done


def fail(
    connection: Connection,
    video_id: int,
    token: str,
    failure: Failure,
    *,
    now: datetime,
    rules: WorkerSettings,
) -> Shelf | None:
    """Note that an attempt failed, and return the shelf where the video stands now; None if the lease was lost.

    It waits for its next attempt, each wait twice as long as the last, and is put on the failed shelf after
    `rules.attempts` of them, or at once where the failure is lasting.
    """
    attempts = connection.scalar(
        select(videos.c.attempts)
        .where(videos.c.id == video_id, videos.c.lease_token == token, videos.c.shelf == "unlabelled")
        .with_for_update()
    )
    if attempts is None:
        return None
    attempts += 1
    if failure.lasting or attempts >= rules.attempts:
        _end(connection, video_id, failure, attempts, now)
        return "failed"
    _wait(connection, video_id, failure, attempts, now + back_off(attempts, rules))
    return "unlabelled"


def release(connection: Connection, token: str, ids: Collection[int] | None = None) -> int:
    """Give leased videos back untouched, all of a token or only `ids`; return how many."""
    held = update(videos).where(videos.c.lease_token == token, videos.c.shelf == "unlabelled")
    if ids is None:
        return connection.execute(held.values(**_unleased())).rowcount
    parts = _parts(list(ids))
    return sum(
        connection.execute(held.where(videos.c.id.in_(part)).values(**_unleased())).rowcount for part in parts
    )


def retry_failed(
    connection: Connection,
    *,
    now: datetime,
    ids: Collection[int] | None = None,
    kinds: Collection[str] | None = None,
) -> int:
    """Put videos of the failed shelf back on the unlabelled one as if they were new, and return how many.

    Args:
        ids: only these.
        kinds: only those whose last failure was of one of these kinds.
    """
    chosen = update(videos).where(videos.c.shelf == "failed")
    if kinds is not None:
        chosen = chosen.where(videos.c.error["type"].as_string().in_(list(kinds)))
    values = {**_moved("unlabelled", now), "attempts": 0, "error": null()}
    if ids is None:
        return connection.execute(chosen.values(values)).rowcount
    return sum(
        connection.execute(chosen.where(videos.c.id.in_(part)).values(values)).rowcount
        for part in _parts(list(ids))
    )


def put_back(connection: Connection, ids: Collection[int], *, now: datetime) -> int:
    """Put labelled videos back on the unlabelled shelf, to be labelled anew; return how many.

    What was said about them stays until the new answer replaces it.
    """
    return sum(
        connection.execute(
            update(videos)
            .where(videos.c.id.in_(part), videos.c.shelf == "labelled")
            .values(**_moved("unlabelled", now), attempts=0, error=null())
        ).rowcount
        for part in _parts(list(ids))
    )


def count_shelves(connection: Connection, *, now: datetime, rules: WorkerSettings) -> ShelfCounts:
    """Return how many videos stand where."""
    by_shelf: Mapping[str, int] = dict(
        connection.execute(select(videos.c.shelf, func.count()).group_by(videos.c.shelf)).tuples().all()
    )
    held = select(func.count()).where(
        videos.c.shelf == "unlabelled", videos.c.lease_token.is_not(None), ~lapsed(now, rules)
    )
    waiting = select(func.count()).where(videos.c.shelf == "unlabelled", videos.c.not_before.is_not(None))
    return ShelfCounts(
        unlabelled=by_shelf.get("unlabelled", 0),
        labelled=by_shelf.get("labelled", 0),
        failed=by_shelf.get("failed", 0),
        leased=connection.scalar(held) or 0,
        waiting=connection.scalar(waiting) or 0,
    )


def lapsed(now: datetime, rules: WorkerSettings) -> ColumnElement[bool]:
    """The condition that a video's lease has run out.

    One that ends later than two leases from now was given by a clock that has been set back since. One lease would be
    the exact bound, but machines whose clocks differ by seconds would then take over each other's work.
    """
    until = videos.c.lease_until
    return or_(until.is_(None), until <= now, until > now + 2 * lease_length(rules))


def lease_length(rules: WorkerSettings) -> timedelta:
    """Return how long a lease lasts that is not renewed."""
    return timedelta(seconds=rules.lease_seconds)


def back_off(attempts: int, rules: WorkerSettings) -> timedelta:
    """Return how long a video waits after so many failed attempts, at least one."""
    doubled = rules.backoff_seconds * 2.0 ** min(attempts - 1, 60)
    return timedelta(seconds=min(doubled, rules.backoff_ceiling_seconds))


def _free(connection: Connection, count: int, now: datetime, rules: WorkerSettings) -> Sequence[Any]:
    free = select(
        videos.c.id,
        videos.c.attempts,
        videos.c.media,
        videos.c.stored,
        videos.c.content_hash,
        videos.c.title,
        videos.c.description,
        videos.c.subtitles,
        videos.c.published_at,
        videos.c.lease_token,
        videos.c.lease_worker,
    ).where(videos.c.shelf == "unlabelled", lapsed(now, rules))
    due = videos.c.not_before
    # A wait longer than the longest was set by a clock that has been set back since.
    longest = now + timedelta(seconds=rules.backoff_ceiling_seconds)
    # Two queries, each in the order of the index on both engines, which sort nulls differently.
    again = free.where(due.is_not(None), or_(due <= now, due > longest)).order_by(due, videos.c.id)
    rows = connection.execute(again.limit(count).with_for_update(skip_locked=True)).all()
    if len(rows) < count:
        first = free.where(due.is_(None)).order_by(videos.c.id).limit(count - len(rows))
        rows = [*rows, *connection.execute(first.with_for_update(skip_locked=True))]
    return rows


def _leased(row: Any, token: str) -> LeasedVideo:
    return LeasedVideo(
        row.id,
        token,
        row.attempts + (row.lease_token is not None),
        row.media,
        row.stored,
        row.content_hash,
        row.title,
        row.description,
        row.subtitles,
        row.published_at,
    )


def _wait(connection: Connection, video_id: int, failure: Failure, attempts: int, until: datetime) -> None:
    connection.execute(
        update(videos)
        .where(videos.c.id == video_id)
        .values(**_unleased(), attempts=attempts, not_before=until, error=failure.to_json())
    )


def _end(connection: Connection, video_id: int, failure: Failure, attempts: int, now: datetime) -> None:
    connection.execute(
        update(videos)
        .where(videos.c.id == video_id)
        .values(**_moved("failed", now), attempts=attempts, error=failure.to_json())
    )


def _lost(row: Any) -> Failure:
    return Failure(
        LOST,
        f"The worker {row.lease_worker} that had this video was not heard of again.",
        "If it happens with this video alone, the video may be what ends the worker: look at its log.",
    )


def _moved(shelf: Shelf, now: datetime) -> dict[str, Any]:
    return {"shelf": shelf, "shelved_at": now, "not_before": None, **_unleased()}


def _unleased() -> dict[str, Any]:
    return {"lease_token": None, "lease_worker": None, "lease_until": None}


def _parts(values: Sequence[Any]) -> list[Sequence[Any]]:
    return [values[start : start + AT_A_TIME] for start in range(0, len(values), AT_A_TIME)]
