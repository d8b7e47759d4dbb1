"""One video, with everything that is known of it."""

from __future__ import annotations

from contextlib import suppress

from fastapi import APIRouter
from fastapi.responses import Response

from tagtower.errors import NotFoundError
from tagtower.faces.console.access import Editor
from tagtower.faces.console.render import page
from tagtower.faces.console.routes import ConsoleRoute
from tagtower.usecases.installation.find import Found, Search, find_videos
from tagtower.usecases.installation.reviewing import review_video

ALIKE = 12

router = APIRouter(route_class=ConsoleRoute)


@router.get("/videos/{video_id}")
def video(seat: Editor, video_id: int) -> Response:
    """Show a video."""
    review = review_video(seat.installation, video_id)
    alike: tuple[Found, ...] = ()
    with suppress(NotFoundError):  # it has no vector yet
        alike = find_videos(seat.installation, Search(similar=video_id), limit=ALIKE).videos
    return page(
        seat.request,
        "video.html.j2",
        review=review,
        video=review.shown.video,
        shown=review.shown,
        alike=alike,
        said=None,
        changed=None,
    )
