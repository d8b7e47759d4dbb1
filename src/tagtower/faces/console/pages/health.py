"""How the installation is doing, and trying again what failed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import Response

from tagtower.faces.console.access import Editor
from tagtower.faces.console.render import Flash, go, page
from tagtower.faces.console.routes import ConsoleRoute
from tagtower.usecases.installation.health import health
from tagtower.usecases.installation.retry import retry

router = APIRouter(route_class=ConsoleRoute)


@router.get("/health")
def state(seat: Editor) -> Response:
    """Show the state of the installation."""
    return page(seat.request, "health.html.j2", health=health(seat.installation))


@router.post("/health/retry")
def again(seat: Editor, kind: Annotated[str, Form()] = "") -> Response:
    """Put failed videos back on the unlabelled shelf."""
    moved = retry(seat.installation, kinds=[kind] if kind else None).videos
    return go("/health", Flash(f"{moved:,} {'video' if moved == 1 else 'videos'} to be tried again."))
