"""Hot topics: what feeds brought and nobody has decided on yet, and the feeds themselves."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form
from fastapi.responses import Response

from tagtower.errors import UsageError
from tagtower.faces.console.access import Admin, Editor
from tagtower.faces.console.render import Flash, go, page
from tagtower.faces.console.routes import ConsoleRoute
from tagtower.library.curation.reading import TagFilter
from tagtower.usecases.installation import curate
from tagtower.usecases.installation.curate import Editing
from tagtower.usecases.installation.feeds import add_feed, list_feeds, pause_feed, remove_feed, resume_feed
from tagtower.usecases.installation.tag_pages import list_tag_page

PAGE = 100

router = APIRouter(route_class=ConsoleRoute)


@router.get("/topics")
def topics(seat: Editor) -> Response:
    """Show the tags in quarantine, the hottest first."""
    found = list_tag_page(seat.installation, TagFilter(state="quarantined"), order="newest", limit=PAGE)
    lines = sorted(found.lines, key=lambda line: (-line.heat, -line.record.id))
    feeds = {one.origin: one for one in list_feeds(seat.installation)}
    return page(
        seat.request,
        "topics.html.j2",
        lines=lines,
        feeds=feeds,
        total=found.total,
        may=seat.principal.may("admin"),
    )


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


@router.post("/topics/feeds")
def bring_in(
    seat: Admin, url: Annotated[str, Form()], policy: Annotated[Literal["quarantine", "approve"], Form()]
) -> Response:
    """Add a feed; files of the server's own machine are read only where its command line says so."""
    if not url.strip().lower().startswith(("http://", "https://")):
        raise UsageError("This is no address of a feed.", hint="It begins with https:// or http://.")
    feed = add_feed(seat.installation, url.strip(), policy=policy)
    return go("/topics", Flash(f"{feed.url} is read from now on."))


@router.post("/topics/feeds/remove")
def remove(seat: Admin, url: Annotated[str, Form()]) -> Response:
    """Forget a feed."""
    feed = remove_feed(seat.installation, url)
    return go("/topics", Flash(f"{feed.url} is forgotten.", hint="Its topics stay until they expire."))


@router.post("/topics/feeds/{state}")
def switch(seat: Admin, state: Literal["pause", "resume"], url: Annotated[str, Form()]) -> Response:
    """Let a feed be read no more, or again."""
    feed = (pause_feed if state == "pause" else resume_feed)(seat.installation, url)
    return go("/topics", Flash(f"{feed.url} is {feed.state}."))
