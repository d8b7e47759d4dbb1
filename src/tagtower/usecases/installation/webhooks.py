"""Sending events to addresses that were named: signed, in order, and again until they are taken.

A message has the headers `TagTower-Event` (its number), `TagTower-Timestamp` (seconds since 1970) and
`TagTower-Signature`: `v1=` and the HMAC-SHA256, under the webhook's secret, of the time stamp, a full stop and the
body. Who checks the time stamp too cannot be sent an old message again. An event may come twice; its number tells.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, final

from tagtower.errors import FetchError, UsageError
from tagtower.library import events, webhooks
from tagtower.library.webhooks import Webhook
from tagtower.net.fetch import FetchLimits, check_url
from tagtower.net.send import send
from tagtower.usecases.installation.events import check_kinds
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.labelling import Labeller

AT_ONCE = 20
KEPT = timedelta(days=7)
"""Events that are older are forgotten, also where somebody did not take them."""


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """An address that was just added, with its secret, which is told only now."""

    webhook: Webhook

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return {**self.webhook.to_json(), "secret": self.webhook.secret}


def add(
    installation: Installation, url: str, kinds: tuple[str, ...] = (), *, allow_private: bool = False
) -> NewWebhook:
    """Send what happens from now on to an address.

    Args:
        kinds: only these; all if empty.
        allow_private: whether its host may be this machine or one of a private network.
    Raises:
        UsageError: nothing can be sent there, or there is no such kind.
        ConflictError: it is there already.
    """
    check_kinds(kinds)
    try:
        check_url(url, FetchLimits(allow_private=allow_private))
    except FetchError as fault:
        raise UsageError(fault.message, hint=fault.hint) from None
    with installation.database.write() as connection:
        now = installation.clock()
        return NewWebhook(
            webhooks.add_webhook(connection, url, tuple(kinds), now, allow_private=allow_private)
        )


def list_all(installation: Installation) -> list[Webhook]:
    """Return every address."""
    with installation.database.read() as connection:
        return webhooks.list_webhooks(connection)


def remove(installation: Installation, webhook_id: int) -> Webhook:
    """Send an address nothing any more.

    Raises:
        NotFoundError: there is none.
    """
    with installation.database.write() as connection:
        return webhooks.remove_webhook(connection, webhook_id)


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """Return the signature of a message."""
    signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1={signed.hexdigest()}"


def deliver(installation: Installation) -> bool:
    """Send some events to one address that waits for them, and return whether there was any."""
    with installation.database.read() as connection:
        newest = events.last_event(connection)
        if all(one.sent >= newest for one in webhooks.list_webhooks(connection)):
            return False
    with installation.database.write() as connection:
        hook = webhooks.lease_webhook(connection, installation.clock())
    if hook is None:
        return False
    with installation.database.read() as connection:
        now = installation.clock()
        found, reached = events.read_events(connection, hook.sent, now=now, kinds=hook.kinds, limit=AT_ONCE)
    sent, error = hook.sent, None
    for event in found:
        error = send_event(installation, hook, event)
        if error is not None:
            break
        sent = event.id
    with installation.database.write() as connection:
        if error is None:
            webhooks.note_sent(connection, hook.id, reached)
        else:
            webhooks.note_failed(connection, hook, sent, error, installation.clock())
    return error is None and reached > hook.sent


def send_event(installation: Installation, hook: Webhook, event: events.Event) -> str | None:
    """Send one event to an address, signed; return None where it was taken, else why not."""
    body = json.dumps(event.to_json(), ensure_ascii=False).encode()
    timestamp = int(installation.clock().timestamp())
    headers = {
        "Content-Type": "application/json",
        "TagTower-Event": str(event.id),
        "TagTower-Timestamp": str(timestamp),
        "TagTower-Signature": signature(hook.secret, timestamp, body),
    }
    try:
        status = send(hook.url, body, headers, allow_private=hook.allow_private)
    except FetchError as fault:
        return fault.message
    return None if 200 <= status < 300 else f"It answers with status {status}."


@final
class Deliveries:
    """Sends events to webhooks, and forgets old ones."""

    name = "webhooks"

    def run_once(self, installation: Installation, labeller: Labeller | None) -> bool:
        """Send some."""
        with installation.database.read() as connection:
            before = installation.clock() - KEPT
            old = events.any_before(connection, before)
        if old:
            with installation.database.write() as connection:
                events.forget_events(connection, before)
        return deliver(installation)

    def close(self) -> None:
        """Do nothing: it has nothing open."""
