"""The library of videos: searching it, handing videos in, and changing many at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from tagtower.errors import TagTowerError
from tagtower.faces.console.access import Editor, Seat
from tagtower.faces.console.render import Flash, go, page
from tagtower.faces.console.routes import ConsoleRoute
from tagtower.faces.http.auth import TO_ERASE
from tagtower.library.videos.find import Shelf
from tagtower.usecases.installation.erase import erase_videos
from tagtower.usecases.installation.find import Search, count_videos, find_videos, show_video
from tagtower.usecases.installation.judging import judge

PAGE = 40
COUNTED = 10_000
MOST_AT_ONCE = 500

router = APIRouter(route_class=ConsoleRoute)


@router.get("/library")
def library(
    seat: Editor,
    words: Annotated[str, Query()] = "",
    tag: Annotated[str, Query()] = "",
    similar: Annotated[str, Query()] = "",
    shelf: Annotated[str, Query()] = "",
    reviewed: Annotated[str, Query()] = "",
    cursor: str | None = None,
) -> Response:
    """Show the videos that are asked for."""
    asked = {
        "words": words.strip(),
        "tag": tag.strip(),
        "similar": similar.strip(),
        "shelf": shelf,
        "reviewed": reviewed,
    }
    found, total, fault = None, 0, None
    try:
        search = _search(asked)
        found = find_videos(seat.installation, search, limit=PAGE, cursor=cursor)
        total = count_videos(seat.installation, search, most=COUNTED)
    except TagTowerError as error:
        fault = error
    more = None
    if found is not None and found.next is not None:
        more = "/library?" + urlencode(
            {**{key: one for key, one in asked.items() if one}, "cursor": found.next}
        )
    return page(
        seat.request,
        "library.html.j2",
        asked=asked,
        any_asked=any(asked.values()),
        found=() if found is None else found.videos,
        more=more,
        total=total,
        counted=COUNTED,
        fault=fault,
        first=cursor is None,
    )


@router.get("/library/tile/{video_id}")
def tile(seat: Editor, video_id: int) -> Response:
    """Show one video as it is now; while it waits for a worker the page asks again."""
    shown = show_video(seat.installation, video_id)
    return page(seat.request, "_tile_part.html.j2", one=shown)


@router.post("/library/bulk")
async def bulk(
    seat: Editor,
    action: Annotated[Literal["accept", "reject", "erase"], Form()],
    video: Annotated[list[int] | None, Form()] = None,
    tag: Annotated[str, Form()] = "",
    confirmed: Annotated[bool, Form()] = False,
) -> Response:
    """Accept or reject a tag on many videos, or erase them; erasing asks once more."""
    chosen = list(dict.fromkeys(video or ()))[:MOST_AT_ONCE]
    back = await seat.back("/library")
    if action == "erase":
        seat.must(TO_ERASE)
    if not chosen:
        return go(back, Flash("No video was chosen.", hint="Tick some of them first.", bad=True))
    if action == "erase" and not confirmed:
        return await run_in_threadpool(_ask, seat, chosen, back)
    if action == "erase":
        proofs = await run_in_threadpool(erase_videos, seat.installation, chosen, author=seat.author)
        return go(
            back,
            Flash(f"{_videos(len(proofs))} erased for good.", hint="The proofs stand on the health page."),
        )
    if not tag.strip():
        return go(back, Flash("No tag was named.", hint=f"Say which tag to {action}.", bad=True))
    await run_in_threadpool(_say, seat, chosen, tag, action)
    return go(back, Flash(f"{tag.strip()}: {action}ed on {_videos(len(chosen))}."))


def _say(seat: Seat, chosen: Sequence[int], tag: str, action: Literal["accept", "reject"]) -> None:
    for video_id in chosen:
        judge(seat.installation, video_id, [(tag, action)], author=seat.author)


def _ask(seat: Seat, chosen: Sequence[int], back: str) -> Response:
    videos = [show_video(seat.installation, one) for one in chosen]
    return page(seat.request, "erase.html.j2", videos=videos, back=back)


def _search(asked: dict[str, str]) -> Search:
    shelves: tuple[Any, ...] = get_args(Shelf)
    similar = asked["similar"].removeprefix("#")
    return Search(
        tags=tuple(one.strip() for one in asked["tag"].split(",") if one.strip()),
        words=asked["words"] or None,
        similar=int(similar) if similar.isascii() and similar.isdigit() and len(similar) < 18 else None,
        shelf=asked["shelf"] if asked["shelf"] in shelves else None,  # type: ignore[arg-type]
        reviewed={"yes": True, "no": False}.get(asked["reviewed"]),
    )


def _videos(number: int) -> str:
    return "1 video" if number == 1 else f"{number} videos"
