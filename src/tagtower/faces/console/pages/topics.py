"""Hot topics: what feeds brought and nobody has decided on yet, and the feeds themselves."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form
from fastapi.responses import Response

from tagtower.faces.console.access import Editor
from tagtower.faces.console.render import Flash, go, page
from tagtower.faces.console.routes import ConsoleRoute
from tagtower.library.curation.reading import TagFilter
from tagtower.usecases.installation import curate
from tagtower.usecases.installation.curate import Editing
from tagtower.usecases.installation.health import health
from tagtower.usecases.installation.tag_pages import list_tag_page

PAGE = 100

router = APIRouter(route_class=ConsoleRoute)


@router.get("/topics")
def topics(seat: Editor) -> Response:
    """Show the tags in quarantine, the hottest first."""
    found = list_tag_page(seat.installation, TagFilter(state="quarantined"), order="newest", limit=PAGE)
    lines = sorted(found.lines, key=lambda line: (-line.heat, -line.record.id))
    feeds = {f"feed:{one.id}": one for one in health(seat.installation).feeds}
    return page(seat.request, "topics.html.j2", lines=lines, feeds=feeds, total=found.total)


@router.post("/topics/decide")
def decide(
    seat: Editor,
    decision: Annotated[Literal["approve", "dismiss"], Form()],
    tag: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Let chosen tags into the library, or retire them; a retired topic is not brought again."""
    if not tag:
        return go("/topics", Flash("No topic was chosen.", hint="Tick some of them first.", bad=True))
    by = Editing(seat.author)
    if decision == "approve":
        outcome = curate.approve(seat.installation, by, tag)
        said = f"{len(outcome.edits)} approved."
    else:
        outcome = curate.retire(seat.installation, by, tag)
        said = f"{len(outcome.edits)} dismissed."
    return go("/topics", Flash(said, undo=outcome.version))
