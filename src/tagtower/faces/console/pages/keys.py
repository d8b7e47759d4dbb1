"""The keys by which terminals and persons come in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import Response

from tagtower.faces.console.access import Admin, Seat
from tagtower.faces.console.render import Flash, go, page
from tagtower.faces.console.routes import ConsoleRoute
from tagtower.library.keys import ROLES
from tagtower.usecases.installation import keys

router = APIRouter(route_class=ConsoleRoute)


@router.get("/keys")
def every(seat: Admin) -> Response:
    """List the keys."""
    return _page(seat, None)


@router.post("/keys/create")
def create(seat: Admin, name: Annotated[str, Form()], role: Annotated[str, Form()]) -> Response:
    """Make a key; its text is on the page that comes back, and nowhere else."""
    return _page(seat, keys.create(seat.installation, name, keys.parse_role(role)))


@router.post("/keys/revoke")
def revoke(seat: Admin, name: Annotated[str, Form()]) -> Response:
    """Let a key open nothing any more."""
    keys.revoke(seat.installation, name)
    return go("/keys", Flash(f"The key {name} opens nothing any more."))


def _page(seat: Seat, made: keys.NewKey | None) -> Response:
    return page(seat.request, "keys.html.j2", keys=keys.list_all(seat.installation), made=made, roles=ROLES)
