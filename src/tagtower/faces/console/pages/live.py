"""`/live`: a stream that tells pages what has changed, so that they need not ask again and again."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, final

from fastapi import APIRouter, Header
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from tagtower.errors import StorageError
from tagtower.faces.console.access import Editor
from tagtower.faces.console.routes import ConsoleRoute
from tagtower.faces.http.fields import MOST_NUMBER
from tagtower.faces.http.parts import Parts
from tagtower.faces.http.routes.events import BEAT_SECONDS, LONGEST_SECONDS, LOOK_SECONDS, MOST_STREAMS
from tagtower.usecases.installation import events
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.pulse import Watched, take_pulse

PULSE_SECONDS, PULSE_SHARE = 2.0, 20
"""A pulse is taken so often at most, and seldom enough that it takes no more than one part in so many of the time."""

router = APIRouter(route_class=ConsoleRoute)


@final
class Pulses:
    """The last pulse of an installation, taken once for all who watch."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due = 0.0
        self._last: dict[Watched, str] = {}

    def latest(self, installation: Installation) -> dict[Watched, str]:
        """Return the last pulse, or a new one if it is time for it."""
        with self._lock:
            begun = time.monotonic()
            if begun >= self._due:
                self._last = take_pulse(installation)
                done = time.monotonic()
                self._due = done + max(PULSE_SECONDS, PULSE_SHARE * (done - begun))
            return self._last


@router.get("/live")
async def live(
    seat: Editor, last_id: Annotated[int | None, Header(alias="Last-Event-ID", ge=0, le=MOST_NUMBER)] = None
) -> Response:
    """Tell what happens (`{"kind": "video.labelled", "video": 12}`) and what changed (`{"kind": "health"}`)."""
    if seat.parts.streams >= MOST_STREAMS:
        return Response(None, 204)  # which tells the browser not to ask again: pages look for themselves
    pulses: Pulses = seat.request.app.state.pulses
    after = await run_in_threadpool(events.last, seat.installation) if last_id is None else last_id
    lines = changes(seat.parts, pulses, seat.request.is_disconnected, after)
    return StreamingResponse(lines, 200, {"Cache-Control": "no-store"}, "text/event-stream")


async def changes(
    parts: Parts, pulses: Pulses, gone: Callable[[], Awaitable[bool]], after: int
) -> AsyncIterator[str]:
    """Yield the lines of a stream until its reader is `gone`, the server ends, or an hour is over."""
    parts.streams += 1
    begun = beat = time.monotonic()
    before: dict[Watched, str] | None = None
    try:
        yield "retry: 3000\n\n"
        while not parts.stopping.is_set() and time.monotonic() - begun < LONGEST_SECONDS:
            try:
                found, after = await run_in_threadpool(events.read, parts.installation, after)
                pulse = await run_in_threadpool(pulses.latest, parts.installation)
            except StorageError:
                found, pulse = [], before or {}  # the database is gone for a moment; the reader waits
            for one in found:
                told = json.dumps({"kind": one.kind, "video": one.data.get("video")})
                yield f"id: {one.id}\ndata: {told}\n\n"
            for part, mark in pulse.items():
                if before is not None and before.get(part) != mark:
                    yield f'data: {{"kind": "{part}"}}\n\n'
            before = pulse
            if time.monotonic() - beat > BEAT_SECONDS:
                beat = time.monotonic()
                yield ": still here\n\n"
            if await gone():
                return
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        parts.streams -= 1
