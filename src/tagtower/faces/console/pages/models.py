"""The models: versions with their metrics, two side by side, promotion and the way back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import Response

from tagtower.faces.console.access import Admin, Editor
from tagtower.faces.console.render import Flash, go, is_part, page
from tagtower.faces.console.routes import ConsoleRoute
from tagtower.usecases.installation import models
from tagtower.usecases.installation.compare import Comparison, compare

router = APIRouter(route_class=ConsoleRoute)


@router.get("/models")
def every(seat: Editor, first: str = "", second: str = "") -> Response:
    """List the models; two of them are held against each other."""
    found = models.status(seat.installation)
    names = [one.model.name for one in found]
    active = next((one.model for one in found if one.model.state == "active"), None)
    others = [name for name in reversed(names) if active is None or name != active.name]
    left = first if first in names else "" if active is None else active.name
    right = second if second in names else next(iter(others), "")
    side: Comparison | None = None
    if left and right and left != right and not is_part(seat.request):  # which asks for the versions only
        side = compare(seat.installation, left, right)
    return page(
        seat.request,
        "models.html.j2",
        models=list(reversed(found)),
        active=active,
        names=names,
        left=left,
        right=right,
        side=side,
        may=seat.principal.may("admin"),
    )


@router.post("/models/promote")
def promote(seat: Admin, name: Annotated[str, Form()], force: Annotated[bool, Form()] = False) -> Response:
    """Make a model the active one."""
    switched = models.promote(seat.installation, name, force=force)
    return go("/models", Flash(f"{switched.model.name} is active now.", hint=_before(switched.before)))


@router.post("/models/roll-back")
def roll_back(seat: Admin) -> Response:
    """Go back to the model before."""
    switched = models.roll_back(seat.installation)
    return go("/models", Flash(f"Back to {switched.model.name}.", hint=_before(switched.before)))


@router.post("/models/build")
def build(seat: Admin, name: Annotated[str, Form()]) -> Response:
    """Have workers build a model, or try again what failed."""
    status = models.rebuild(seat.installation, name)
    return go("/models", Flash(f"{name} is being built.", hint=f"{status.coverage.missing:,} videos to go."))


def _before(model: models.ModelRecord | None) -> str | None:
    return None if model is None else f"Before it was {model.name}."
