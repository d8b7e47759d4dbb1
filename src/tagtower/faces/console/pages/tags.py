"""The tag library: looking tags up, adding one after seeing what it would hit, and every change with its undo."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, get_args
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from tagtower.errors import UsageError
from tagtower.faces.console.access import Editor
from tagtower.faces.console.render import Flash, go, page
from tagtower.faces.console.routes import ConsoleRoute
from tagtower.library.curation.reading import Order, TagFilter
from tagtower.library.curation.record import TAG_STATES
from tagtower.usecases.installation import curate
from tagtower.usecases.installation.curate import Editing, Outcome
from tagtower.usecases.installation.find import Search, find_videos
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.tag_pages import complete, history, list_tag_page, show_tag

PAGE, HISTORY, HITS, VIDEOS = 60, 50, 8, 12

router = APIRouter(route_class=ConsoleRoute)


@router.get("/tags")
def tags(
    seat: Editor, search: str = "", state: str = "active", order: str = "newest", after: str | None = None
) -> Response:
    """List the tags that are asked for."""
    known = state if state in TAG_STATES else None
    sorting: Any = order if order in get_args(Order) else "newest"
    wanted = TagFilter(state=known, search=search.strip() or None)
    found = list_tag_page(seat.installation, wanted, order=sorting, limit=PAGE, after=after)
    asked = {"search": search.strip(), "state": state, "order": sorting}
    more = None if found.next is None else "/tags?" + urlencode({**asked, "after": found.next})
    return page(seat.request, "tags.html.j2", found=found, asked=asked, more=more, first=after is None)


@router.get("/tags/complete")
def completion(seat: Editor, tag: str = "", into: str = "") -> Response:
    """List names that begin so, for a field that is being filled in; of several names the last counts."""
    last = (tag or into).split(",")[-1]
    return page(seat.request, "_completion.html.j2", names=complete(seat.installation, last))


@router.get("/tags/preview")
def preview(
    seat: Editor, text: str = "", aliases: str = "", description: str = "", threshold: str = ""
) -> Response:
    """Say which stored videos a tag would be suggested on, if it were added."""
    if not text.strip():
        return page(seat.request, "_preview.html.j2", preview=None)
    found = seat.parts.recommender.preview(
        text.strip(),
        _names(aliases),
        description=description.strip() or None,
        threshold=_share(threshold),
        shown=HITS,
    )
    return page(seat.request, "_preview.html.j2", preview=found)


@router.get("/tags/history")
def changes(seat: Editor, before: Annotated[int | None, Query(ge=1)] = None) -> Response:
    """List the changes of the library, the newest first."""
    found = history(seat.installation, before=before, limit=HISTORY)
    return page(seat.request, "history.html.j2", changes=found, more=len(found) == HISTORY)


@router.post("/tags/add")
def add(
    seat: Editor,
    text: Annotated[str, Form()],
    aliases: Annotated[str, Form()] = "",
    description: Annotated[str, Form()] = "",
    threshold: Annotated[str, Form()] = "",
    expires: Annotated[str, Form()] = "",
) -> Response:
    """Add a tag; workers then look for the stored videos that it fits."""
    outcome = curate.add(
        seat.installation,
        Editing(seat.author),
        text,
        aliases=_names(aliases),
        description=description.strip() or None,
        threshold=_share(threshold),
        expires=_day(expires),
    )
    return go(_tag_address(outcome), _told(outcome))


@router.post("/tags/undo")
async def undo(seat: Editor, version: Annotated[int, Form()]) -> Response:
    """Undo a change."""
    outcome = await run_in_threadpool(curate.undo, seat.installation, Editing(seat.author), version)
    return go(await seat.back("/tags/history"), _told(outcome))


@router.post("/tags/merge")
async def merge(
    seat: Editor, into: Annotated[str, Form()], tag: Annotated[list[str] | None, Form()] = None
) -> Response:
    """Merge the chosen tags into one."""
    back = await seat.back("/tags")
    if not tag or not into.strip():
        return go(
            back, Flash("Nothing was merged.", hint="Choose tags, and name the one that stays.", bad=True)
        )
    outcome = await run_in_threadpool(
        curate.merge, seat.installation, Editing(seat.author), tag, into.strip()
    )
    return go(back, _told(outcome))


@router.post("/tags/retire")
async def retire(seat: Editor, tag: Annotated[list[str] | None, Form()] = None) -> Response:
    """Retire the chosen tags."""
    back = await seat.back("/tags")
    if not tag:
        return go(back, Flash("No tag was chosen.", hint="Tick some of them first.", bad=True))
    return go(
        back, _told(await run_in_threadpool(curate.retire, seat.installation, Editing(seat.author), tag))
    )


@router.get("/tags/{tag_id}")
def one(seat: Editor, tag_id: int) -> Response:
    """Show a tag."""
    shown = show_tag(seat.installation, f"#{tag_id}")
    videos = find_videos(seat.installation, Search(tags=(tag_id,)), limit=VIDEOS)
    return page(seat.request, "tag.html.j2", shown=shown, tag=shown.line.record, videos=videos)


@router.post("/tags/{tag_id}")
async def change(
    seat: Editor, tag_id: int, what: Annotated[str, Form()], version: Annotated[int | None, Form()] = None
) -> Response:
    """Change a tag as its page asks; not if somebody else has changed it since the page was made."""
    form = await seat.request.form()
    values = {key: str(value) for key, value in form.items()}
    if what not in CHANGES:
        raise UsageError("There is no such change.", hint="Load the page again.")
    by = Editing(seat.author, expected_version=version)
    outcome = await run_in_threadpool(CHANGES[what], seat.installation, by, f"#{tag_id}", values)
    return go(await seat.back(f"/tags/{tag_id}"), _told(outcome))


Values = Mapping[str, str]
Change = Callable[[Installation, Editing, str, Values], Outcome]


def _rename(installation: Installation, by: Editing, tag: str, values: Values) -> Outcome:
    return curate.rename(installation, by, tag, values.get("text", ""), keep_alias="keep" in values)


def _describe(installation: Installation, by: Editing, tag: str, values: Values) -> Outcome:
    description, language = values.get("description", "").strip(), values.get("language", "").strip()
    return curate.describe(installation, by, tag, description or None, language or None)


def _split(installation: Installation, by: Editing, tag: str, values: Values) -> Outcome:
    return curate.split(installation, by, values.get("name", ""))


CHANGES: Mapping[str, Change] = {
    "rename": _rename,
    "describe": _describe,
    "split": _split,
    "alias": lambda at, by, tag, values: curate.add_aliases(at, by, tag, _names(values.get("aliases", ""))),
    "unalias": lambda at, by, tag, values: curate.remove_aliases(at, by, tag, [values.get("name", "")]),
    "threshold": lambda at, by, tag, values: curate.set_threshold(
        at, by, tag, _share(values.get("threshold", ""))
    ),
    "expire": lambda at, by, tag, values: curate.expire(at, by, tag, _day(values.get("expires", ""))),
    "suggest": lambda at, by, tag, values: curate.set_suggestable(
        at, by, tag, values.get("suggest") == "yes"
    ),
    "merge": lambda at, by, tag, values: curate.merge(at, by, [tag], values.get("into", "")),
    "retire": lambda at, by, tag, values: curate.retire(at, by, [tag]),
    "restore": lambda at, by, tag, values: curate.restore(at, by, [tag]),
    "approve": lambda at, by, tag, values: curate.approve(at, by, [tag]),
}
"""What the page of a tag can ask for."""


def _told(outcome: Outcome) -> Flash:
    if outcome.version is None:
        return Flash("Nothing was to be changed.")
    summary = outcome.summary[:1].upper() + outcome.summary[1:]
    return Flash(f"{summary}.", hint=_reach(outcome), undo=outcome.version)


def _reach(outcome: Outcome) -> str | None:
    if outcome.sweeps:
        return "Workers look for stored videos that fit."
    return f"It touches {outcome.reach.videos:,} videos." if outcome.reach.videos else None


def _tag_address(outcome: Outcome) -> str:
    return "/tags" if outcome.tag is None else f"/tags/{outcome.tag.id}"


def _names(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]


def _share(text: str) -> float | None:
    """A probability as a person writes it: in percent."""
    text = text.strip().removesuffix("%").strip().replace(",", ".")
    if not text:
        return None
    try:
        value = float(text) / 100
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise UsageError("The threshold is no share.", hint="Give a percentage from 0 to 100, or nothing.")
    return value


def _day(text: str) -> datetime | None:
    """The end of a day, in UTC."""
    if not text.strip():
        return None
    try:
        return datetime.fromisoformat(text.strip()[:10]).replace(hour=23, minute=59, tzinfo=UTC)
    except ValueError:
        raise UsageError("This is no date.", hint="Give it as YYYY-MM-DD.") from None
