"""What became of the events that a webhook was to get, and sending it one to try it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from tagtower.library import events, webhooks
from tagtower.library.webhooks import Webhook
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.webhooks import send_event

DeliveryState: TypeAlias = Literal["taken", "refused", "waiting"]
TRIAL = "trial"
"""The kind of the event that only tries an address; its number is 0, and its reader has nothing to do."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event on its way: `refused` is the one that is tried again, those behind it are `waiting`."""

    event: int
    kind: str
    at: datetime
    state: DeliveryState


@dataclass(frozen=True, slots=True)
class Sending:
    """A webhook with its last events, the newest first."""

    webhook: Webhook
    deliveries: tuple[Delivery, ...]


def list_sendings(installation: Installation, *, most: int = 8) -> list[Sending]:
    """Return every webhook with the last `most` events for it; those of more than a week ago are forgotten."""
    with installation.database.read() as connection:
        found = []
        for hook in webhooks.list_webhooks(connection):
            meant = events.latest_events(connection, kinds=hook.kinds, since=hook.created_at, limit=most)
            behind = [one.id for one in meant if one.id > hook.sent]
            stuck = min(behind, default=0) if hook.failures else 0
            rows = tuple(
                Delivery(
                    one.id,
                    one.kind,
                    one.at,
                    "taken" if one.id <= hook.sent else "refused" if one.id == stuck else "waiting",
                )
                for one in meant
            )
            found.append(Sending(hook, rows))
        return found


def try_webhook(installation: Installation, webhook_id: int) -> str | None:
    """Send an address an event of the kind `trial`, signed as all are; return None where it was taken, else why not.

    Raises:
        NotFoundError: there is no such webhook.
    """
    with installation.database.read() as connection:
        hook = webhooks.load_webhook(connection, webhook_id)
    return send_event(installation, hook, events.Event(0, installation.clock(), TRIAL, {"webhook": hook.id}))
