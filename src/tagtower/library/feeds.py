"""The feeds of an installation: which there are, when each is due, and who polls it now.

A feed is leased before it is polled, and what came of it is kept only while the lease holds: two workers never poll
one feed at once.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias, get_args

from sqlalchemy import Connection, Row, delete, insert, or_, select, update

from tagtower.errors import ConflictError, NotFoundError, UsageError
from tagtower.library.schema import feeds
from tagtower.storage.rows import shorten

FeedKind: TypeAlias = Literal["auto", "rss", "json", "csv"]
FEED_KINDS: tuple[FeedKind, ...] = get_args(FeedKind)
Policy: TypeAlias = Literal["quarantine", "approve"]
POLICIES: tuple[Policy, ...] = get_args(Policy)

SHORTEST, LONGEST = timedelta(seconds=30), timedelta(days=365)
BACKOFF_CEILING = timedelta(days=1)
MAX_ERROR_CHARACTERS = 1000


@dataclass(frozen=True, slots=True)
class FeedRecord:
    """A feed. `policy` says what becomes of its topics: quarantined, or active at once.

    It is polled every `every`; a topic lives for `keep` after it was last hot. `failures` counts those in a row, and
    `error` tells the last one. `token` is that of the lease under which it was read.
    """

    id: int
    url: str
    kind: FeedKind
    state: Literal["active", "paused"]
    policy: Policy
    allow_private: bool
    every: timedelta
    keep: timedelta
    next_at: datetime
    polled_at: datetime | None = None
    etag: str | None = None
    modified: str | None = None
    failures: int = 0
    error: str | None = None
    token: str | None = None

    @property
    def origin(self) -> str:
        """What stands as the origin of its tags, and as the author of its changes."""
        return f"feed:{self.id}"

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return {
            "id": self.id,
            "url": self.url,
            "kind": self.kind,
            "state": self.state,
            "policy": self.policy,
            "allow_private": self.allow_private,
            "every_seconds": round(self.every.total_seconds()),
            "keep_seconds": round(self.keep.total_seconds()),
            "polled_at": None if self.polled_at is None else self.polled_at.isoformat(),
            "next_at": self.next_at.isoformat(),
            "failures": self.failures,
            "error": self.error,
        }


def add_feed(
    connection: Connection,
    url: str,
    at: datetime,
    *,
    kind: FeedKind = "auto",
    policy: Policy = "quarantine",
    allow_private: bool = False,
    every: timedelta = timedelta(minutes=15),
    keep: timedelta = timedelta(days=2),
) -> FeedRecord:
    """Add a feed, which is due at once.

    Raises:
        ConflictError: there is one with this URL.
        UsageError: a span is too short or too long.
    """
    for name, given in (("polled every", every), ("topics kept for", keep)):
        if not SHORTEST <= given <= LONGEST:
            raise UsageError(f"{name} {given}: that is no use.", hint="Give from 30 s to 365 days.")
    known = connection.scalar(select(feeds.c.id).where(feeds.c.url == url))
    if known is not None:
        raise ConflictError(f"{url} is feed #{known} already.", hint="Remove that one first.")
    made = connection.execute(
        insert(feeds).values(
            url=url,
            kind=kind,
            state="active",
            policy=policy,
            allow_private=allow_private,
            every_seconds=round(every.total_seconds()),
            keep_seconds=round(keep.total_seconds()),
            next_at=at,
        )
    )
    key = made.inserted_primary_key
    assert key is not None, "one row was inserted"
    return load_feed(connection, int(key[0]))


def list_feeds(connection: Connection) -> list[FeedRecord]:
    """Return every feed, by number."""
    return [_record(row) for row in connection.execute(select(feeds).order_by(feeds.c.id))]


def load_feed(connection: Connection, feed_id: int) -> FeedRecord:
    """Return the feed with this number.

    Raises:
        NotFoundError: there is none.
    """
    row = connection.execute(select(feeds).where(feeds.c.id == feed_id)).first()
    if row is None:
        raise NotFoundError(
            f"There is no feed #{feed_id}.", hint="List them with: tagtower tags HOME feeds list"
        )
    return _record(row)


def find_feed(connection: Connection, reference: str) -> FeedRecord:
    """Return the feed that `reference` names: by its number, with or without `#`, or by its URL.

    Raises:
        NotFoundError: there is none.
    """
    numbered = re.fullmatch(r"#?([0-9]{1,18})", reference.strip())
    if numbered:
        return load_feed(connection, int(numbered[1]))
    row = connection.execute(select(feeds).where(feeds.c.url == reference.strip())).first()
    if row is None:
        raise NotFoundError(
            f"There is no feed {shorten(reference)}.", hint="List them with: tagtower tags HOME feeds list"
        )
    return _record(row)


def pause_feed(connection: Connection, feed_id: int) -> None:
    """Let a feed be polled no more until it is resumed."""
    connection.execute(update(feeds).where(feeds.c.id == feed_id).values(state="paused"))


def resume_feed(connection: Connection, feed_id: int, at: datetime) -> None:
    """Let a feed be polled again, at once; its failures are forgotten."""
    fresh = {"state": "active", "next_at": at, "failures": 0, "error": None}
    connection.execute(update(feeds).where(feeds.c.id == feed_id).values(fresh))


def remove_feed(connection: Connection, feed_id: int) -> None:
    """Forget a feed and its past; the tags that it brought stay, until they expire."""
    connection.execute(delete(feeds).where(feeds.c.id == feed_id))


def any_due(connection: Connection, at: datetime) -> bool:
    """Return whether a feed is due and nobody polls it."""
    due = select(feeds.c.id).where(feeds.c.state == "active", feeds.c.next_at <= at, _free(at)).limit(1)
    return connection.scalar(due) is not None


def lease_due(connection: Connection, at: datetime, lease: timedelta, *, limit: int) -> list[FeedRecord]:
    """Lease up to `limit` feeds that are due, the longest overdue first."""
    query = (
        select(feeds)
        .where(feeds.c.state == "active", feeds.c.next_at <= at, _free(at))
        .order_by(feeds.c.next_at, feeds.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [_leased(connection, row, at, lease) for row in connection.execute(query).all()]


def lease_one(connection: Connection, feed_id: int, at: datetime, lease: timedelta) -> FeedRecord:
    """Lease one feed, whether it is due or not.

    Raises:
        NotFoundError: there is none.
        ConflictError: somebody else is polling it.
    """
    load_feed(connection, feed_id)
    query = select(feeds).where(feeds.c.id == feed_id, _free(at)).with_for_update(skip_locked=True)
    row = connection.execute(query).first()
    if row is None:
        raise ConflictError(f"Feed #{feed_id} is being polled now.", hint="Look at its topics in a minute.")
    return _leased(connection, row, at, lease)


def settle(
    connection: Connection,
    feed: FeedRecord,
    at: datetime,
    *,
    etag: str | None,
    modified: str | None,
    remark: str | None,
) -> bool:
    """Note that a leased feed was polled well, and when it is due again; False where the lease was lost.

    Args:
        remark: what was odd, shown as its error.
    """
    return _end(
        connection,
        feed,
        {
            "polled_at": at,
            "next_at": at + feed.every,
            "etag": etag,
            "modified": modified,
            "failures": 0,
            "error": None if remark is None else remark[:MAX_ERROR_CHARACTERS],
        },
    )


def settle_failed(connection: Connection, feed: FeedRecord, at: datetime, error: str) -> bool:
    """Note that polling a leased feed failed; each failure in a row doubles the wait, up to a day."""
    failures = feed.failures + 1
    wait = min(feed.every * 2 ** min(failures, 20), max(BACKOFF_CEILING, feed.every))
    return _end(
        connection,
        feed,
        {"polled_at": at, "next_at": at + wait, "failures": failures, "error": error[:MAX_ERROR_CHARACTERS]},
    )


def release(connection: Connection, feed: FeedRecord) -> None:
    """Give up the lease on a feed, which stays due."""
    _end(connection, feed, {})


def _end(connection: Connection, feed: FeedRecord, values: dict[str, Any]) -> bool:
    mine = (feeds.c.id == feed.id) & (feeds.c.lease_token == feed.token)
    ended = connection.execute(update(feeds).where(mine).values(lease_token=None, lease_until=None, **values))
    return ended.rowcount == 1


def _leased(connection: Connection, row: Row[Any], at: datetime, lease: timedelta) -> FeedRecord:
    token = secrets.token_hex(16)
    values = {"lease_token": token, "lease_until": at + lease}
    connection.execute(update(feeds).where(feeds.c.id == row.id).values(values))
    return _record(row, token)


def _free(at: datetime) -> Any:
    return or_(feeds.c.lease_until.is_(None), feeds.c.lease_until <= at)


def _record(row: Row[Any], token: str | None = None) -> FeedRecord:
    return FeedRecord(
        id=row.id,
        url=row.url,
        kind=row.kind,
        state=row.state,
        policy=row.policy,
        allow_private=row.allow_private,
        every=timedelta(seconds=row.every_seconds),
        keep=timedelta(seconds=row.keep_seconds),
        next_at=row.next_at,
        polled_at=row.polled_at,
        etag=row.etag,
        modified=row.modified,
        failures=row.failures,
        error=row.error,
        token=token,
    )
