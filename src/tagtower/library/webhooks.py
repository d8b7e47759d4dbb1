"""Addresses that events are sent to: which there are, how far each has come, and who is sending now."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, or_, select, update

from tagtower.errors import ConflictError, NotFoundError
from tagtower.library.events import last_event
from tagtower.library.schema import webhooks

LEASE = timedelta(seconds=120)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(hours=1)
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address, what signs what is sent to it, and the last event that it got; `failures` are those in a row."""

    id: int
    url: str
    secret: str
    kinds: tuple[str, ...]
    allow_private: bool
    created_at: datetime
    sent: int
    not_before: datetime | None
    failures: int
    error: str | None

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON, without its secret."""
        return {
            "id": self.id,
            "url": self.url,
            "kinds": list(self.kinds),
            "allow_private": self.allow_private,
            "created": self.created_at.isoformat(),
            "sent": self.sent,
            "next": None if self.not_before is None else self.not_before.isoformat(),
            "failures": self.failures,
            "error": self.error,
        }


def add_webhook(
    connection: Connection, url: str, kinds: tuple[str, ...], at: datetime, *, allow_private: bool
) -> Webhook:
    """Add an address; it gets what happens from now on.

    Raises:
        ConflictError: it is there already.
    """
    if connection.scalar(select(webhooks.c.id).where(webhooks.c.url == url)) is not None:
        raise ConflictError(f"{url} gets events already.", hint="Remove it first.")
    values = {
        "url": url,
        "secret": secrets.token_hex(SECRET_BYTES),
        "kinds": list(kinds),
        "allow_private": allow_private,
        "created_at": at,
        "sent": last_event(connection),
    }
    made = connection.execute(insert(webhooks).values(values)).inserted_primary_key
    assert made is not None
    return load_webhook(connection, int(made[0]))


def load_webhook(connection: Connection, webhook_id: int) -> Webhook:
    """Return an address.

    Raises:
        NotFoundError: there is none.
    """
    row = connection.execute(select(webhooks).where(webhooks.c.id == webhook_id)).first()
    if row is None:
        raise NotFoundError(f"There is no webhook {webhook_id}.")
    return _record(row)


def list_webhooks(connection: Connection) -> list[Webhook]:
    """Return every address, in the order of their adding."""
    return [_record(row) for row in connection.execute(select(webhooks).order_by(webhooks.c.id))]


def remove_webhook(connection: Connection, webhook_id: int) -> Webhook:
    """Send an address nothing any more.

    Raises:
        NotFoundError: there is none.
    """
    found = load_webhook(connection, webhook_id)
    connection.execute(delete(webhooks).where(webhooks.c.id == webhook_id))
    return found


def lease_webhook(connection: Connection, now: datetime) -> Webhook | None:
    """Take an address that has events to get and is due, for a while; None where there is none."""
    free = or_(webhooks.c.lease_until.is_(None), webhooks.c.lease_until <= now)
    due = or_(webhooks.c.not_before.is_(None), webhooks.c.not_before <= now)
    query = select(webhooks).where(webhooks.c.sent < last_event(connection), free, due)
    row = connection.execute(
        query.order_by(webhooks.c.sent).limit(1).with_for_update(skip_locked=True)
    ).first()
    if row is None:
        return None
    mine = webhooks.c.id == row.id
    connection.execute(update(webhooks).where(mine).values(lease_until=now + LEASE))
    return _record(row)


def note_sent(connection: Connection, webhook_id: int, sent: int) -> None:
    """Note that an address got everything up to an event; its lease ends."""
    values = {"sent": sent, "failures": 0, "error": None, "not_before": None, "lease_until": None}
    connection.execute(update(webhooks).where(webhooks.c.id == webhook_id).values(values))


def note_failed(connection: Connection, webhook: Webhook, sent: int, error: str, now: datetime) -> None:
    """Note that an address could not be sent the event after `sent`; it is tried again later, and later still."""
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(webhook.failures, 20))
    values = {
        "sent": sent,
        "failures": webhook.failures + 1,
        "error": error[:500],
        "not_before": now + pause,
        "lease_until": None,
    }
    connection.execute(update(webhooks).where(webhooks.c.id == webhook.id).values(values))


def _record(row: Any) -> Webhook:
    return Webhook(
        row.id,
        row.url,
        row.secret,
        tuple(row.kinds),
        row.allow_private,
        row.created_at,
        row.sent,
        row.not_before,
        row.failures,
        row.error,
    )
