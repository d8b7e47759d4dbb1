"""Webhooks: which addresses get events, what became of the last ones, adding, removing and trying them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import Response

from tagtower.faces.console.access import Admin, Seat
from tagtower.faces.console.render import Flash, go, page
from tagtower.faces.console.routes import ConsoleRoute
from tagtower.library.events import KINDS
from tagtower.usecases.installation import webhooks
from tagtower.usecases.installation.deliveries import list_sendings, try_webhook

router = APIRouter(route_class=ConsoleRoute)


@router.get("/webhooks")
def every(seat: Admin) -> Response:
    """List the webhooks."""
    return _page(seat, None)


@router.post("/webhooks/add")
def add(
    seat: Admin,
    url: Annotated[str, Form()],
    kind: Annotated[list[str] | None, Form()] = None,
    private: Annotated[bool, Form()] = False,
) -> Response:
    """Add an address; its secret is on the page that comes back, and nowhere else."""
    made = webhooks.add(seat.installation, url.strip(), tuple(kind or ()), allow_private=private)
    return _page(seat, made)


@router.post("/webhooks/{webhook_id}/remove")
def remove(seat: Admin, webhook_id: int) -> Response:
    """Send an address nothing any more."""
    gone = webhooks.remove(seat.installation, webhook_id)
    return go("/webhooks", Flash(f"{gone.url} gets nothing any more."))


@router.post("/webhooks/{webhook_id}/try")
def attempt(seat: Admin, webhook_id: int) -> Response:
    """Send an address an event that only tries it."""
    fault = try_webhook(seat.installation, webhook_id)
    if fault is None:
        return go("/webhooks", Flash("It took the event.", hint="Its kind is “trial”, its number 0."))
    return go("/webhooks", Flash(f"It did not take the event: {fault}", bad=True))


def _page(seat: Seat, made: webhooks.NewWebhook | None) -> Response:
    return page(
        seat.request,
        "webhooks.html.j2",
        sendings=list_sendings(seat.installation),
        made=made,
        kinds=KINDS,
    )
