"""Reviewing one video after another, by key or by pointer."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Literal

from fastapi import APIRouter, Form
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from tagtower.errors import NotFoundError
from tagtower.faces.console.access import Editor, Seat
from tagtower.faces.console.render import Flash, go, is_part, page
from tagtower.faces.console.routes import ConsoleRoute
from tagtower.library.verdicts import Said
from tagtower.usecases.installation import curate
from tagtower.usecases.installation.curate import Editing
from tagtower.usecases.installation.find import Found, Search, find_videos
from tagtower.usecases.installation.health import health
from tagtower.usecases.installation.judging import judge
from tagtower.usecases.installation.queue import Waiting, review_queue
from tagtower.usecases.installation.review import Word
from tagtower.usecases.installation.reviewing import review_video

MAX_SKIPPED = 100
ALIKE = 6

router = APIRouter(route_class=ConsoleRoute)


@router.get("/review")
def review(seat: Editor, skip: str = "") -> Response:
    """Show the video that is most worth a look."""
    skipped = _numbers(skip)
    queue = review_queue(seat.installation, limit=2, skip=skipped)
    if not queue.first:
        state = health(seat.installation)
        return page(seat.request, "review_empty.html.j2", health=state, skipped=len(skipped))
    return _show(seat, queue.first[0].video_id, queue.first, queue.waiting, skipped)


@router.get("/review/{video_id}")
def review_one(seat: Editor, video_id: int) -> Response:
    """Show a certain video for review."""
    queue = review_queue(seat.installation, limit=2, skip=[video_id])
    return _show(seat, video_id, queue.first, queue.waiting, [])


@router.post("/review/{video_id}/verdict")
async def verdict(
    seat: Editor,
    video_id: int,
    verdict: Annotated[Literal["accept", "reject"], Form()],
    tag: Annotated[str, Form()],
) -> Response:
    """Keep what a person says of a tag; `tag` is a name of it, or `#NUMBER`."""
    said = await run_in_threadpool(_judge, seat, video_id, tag, verdict)
    return await run_in_threadpool(_rows, seat, video_id, said, await seat.back(f"/review/{video_id}"))


@router.post("/review/{video_id}/undo")
async def undo(
    seat: Editor,
    video_id: int,
    tag: Annotated[str, Form()],
    before: Annotated[Literal["accept", "reject", "add", ""], Form()] = "",
) -> Response:
    """Take a verdict back."""
    await run_in_threadpool(_judge, seat, video_id, tag, before or "withdraw")
    return await run_in_threadpool(_rows, seat, video_id, None, await seat.back(f"/review/{video_id}"))


@router.post("/review/{video_id}/bar")
async def bar(
    seat: Editor, video_id: int, tag: Annotated[str, Form()], lift: Annotated[bool, Form()] = False
) -> Response:
    """Suggest a tag never on this video, whatever the model, or again."""
    by = Editing(seat.author)
    outcome = await run_in_threadpool(curate.bar, seat.installation, by, tag, [video_id], lift=lift)
    return await run_in_threadpool(_barred, seat, video_id, outcome, await seat.back(f"/review/{video_id}"))


@router.post("/review/{video_id}/bar/undo")
async def undo_bar(seat: Editor, video_id: int, version: Annotated[int, Form()]) -> Response:
    """Undo what was barred, or let in again."""
    await run_in_threadpool(curate.undo, seat.installation, Editing(seat.author), version)
    return await run_in_threadpool(_rows, seat, video_id, None, await seat.back(f"/review/{video_id}"))


def _barred(seat: Seat, video_id: int, outcome: curate.Outcome, back: str) -> Response:
    summary = outcome.summary[:1].upper() + outcome.summary[1:]
    note = Flash(f"{summary}.", undo=outcome.version)
    return _rows(seat, video_id, None, back, note) if is_part(seat.request) else go(back, note)


def _judge(seat: Seat, video_id: int, tag: str, word: Word) -> Said:
    said, _ = judge(seat.installation, video_id, [(tag, word)], author=seat.author)
    return said[0]


def _show(
    seat: Seat, video_id: int, first: tuple[Waiting, ...], waiting: int, skipped: list[int]
) -> Response:
    found = review_video(seat.installation, video_id)
    following = next((one.video_id for one in first if one.video_id != video_id), None)
    skip = ",".join(str(one) for one in [*skipped, video_id][-MAX_SKIPPED:])
    alike: tuple[Found, ...] = ()
    with suppress(NotFoundError):  # the active model has not seen it
        alike = find_videos(seat.installation, Search(similar=video_id), limit=ALIKE).videos
    return page(
        seat.request,
        "review.html.j2",
        review=found,
        video=found.shown.video,
        why=next((one for one in first if one.video_id == video_id), None),
        waiting=waiting,
        following=following,
        skip=skip,
        alike=alike,
        said=None,
        changed=None,
    )


def _rows(seat: Seat, video_id: int, said: Said | None, back: str, changed: Flash | None = None) -> Response:
    if not is_part(seat.request):
        return go(back, None if said is None else Flash(f"{said.tag}: {_WORDS[said.verdict]}."))
    found = review_video(seat.installation, video_id)
    return page(
        seat.request, "_tags.html.j2", review=found, video=found.shown.video, said=said, changed=changed
    )


_WORDS: dict[str | None, str] = {
    "accept": "accepted",
    "add": "added",
    "reject": "rejected",
    None: "taken back",
}


def _numbers(text: str) -> list[int]:
    return [int(one) for one in text.split(",") if one.isascii() and one.isdigit() and len(one) < 18][
        -MAX_SKIPPED:
    ]
