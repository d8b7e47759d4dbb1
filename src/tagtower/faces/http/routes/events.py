"""`/v1/events`: what happens, told as it happens (server-sent events)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from tagtower.errors import StorageError
from tagtower.faces.http.auth import ForTerminal
from tagtower.faces.http.fields import MOST_NUMBER, ShortText
from tagtower.faces.http.parts import Parts, Server
from tagtower.faces.http.problems import Problem
from tagtower.faces.http.schemas import example
from tagtower.library.events import Event
from tagtower.usecases.installation import events

router = APIRouter(prefix="/v1/events", tags=["events"])

LOOK_SECONDS = 0.5
BEAT_SECONDS = 15.0
LONGEST_SECONDS = 3600.0
"""After an hour a stream ends, and its reader connects anew: so a revoked key does not read on for ever."""

MOST_STREAMS = 200
EXAMPLE = {
    "id": 41,
    "at": "2030-01-01T12:00:04+00:00",
    "kind": "video.labelled",
    "data": {"video": 12, "tags": ["solar eclipse"]},
}
Kinds = Annotated[list[ShortText] | None, Query(alias="kind", max_length=10, description="Only these.")]


@router.get(
    "",
    summary="What happens",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "A stream that does not end by itself.",
            "content": {
                "text/event-stream": {
                    "example": f"id: 41\nevent: video.labelled\ndata: {json.dumps(EXAMPLE)}\n\n"
                }
            },
        }
    },
)
async def stream(
    server: Server,
    principal: ForTerminal,
    request: Request,
    kind: Kinds = None,
    last_id: Annotated[
        int | None,
        Header(alias="Last-Event-ID", ge=0, le=MOST_NUMBER, description="Go on after this event."),
    ] = None,
) -> StreamingResponse:
    """Tells events as they happen: `video.labelled`, `video.failed`, `tag.added`, `tag.changed`, `model.promoted`.
    Whoever connects anew with `Last-Event-ID` misses nothing of the last week."""
    events.check_kinds(kind or ())
    if server.streams >= MOST_STREAMS:
        raise Problem(503, "busy", "Too many are listening.", hint="Read /v1/events/list now and then.")
    after = await run_in_threadpool(events.last, server.installation) if last_id is None else last_id
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(
        _lines(server, request, after, tuple(kind or ())), 200, headers, "text/event-stream"
    )


@router.get("/list", summary="What happened", responses=example({"events": [EXAMPLE], "next": 41}))
def listed(
    server: Server,
    principal: ForTerminal,
    kind: Kinds = None,
    after: Annotated[int, Query(ge=0, le=MOST_NUMBER, description="`next` of the list before.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Any:
    """Returns events that follow a number, for those who cannot hold a stream open."""
    found, reached = events.read(server.installation, after, kinds=tuple(kind or ()), limit=limit)
    return {"events": [one.to_json() for one in found], "next": reached}


async def _lines(server: Parts, request: Request, after: int, kinds: tuple[str, ...]) -> AsyncIterator[str]:
    server.streams += 1
    begun = beat = time.monotonic()
    try:
        yield f"retry: 2000\nid: {after}\n\n"  # so that a reader can go on before the first event
        while not server.stopping.is_set() and time.monotonic() - begun < LONGEST_SECONDS:
            try:
                found, after = await run_in_threadpool(events.read, server.installation, after, kinds=kinds)
            except StorageError:
                found = []  # the database is gone for a moment; the reader waits
            for one in found:
                yield event_lines(one)
            if found:
                continue
            if time.monotonic() - beat > BEAT_SECONDS:
                beat = time.monotonic()
                yield ": still here\n\n"
            if await request.is_disconnected():
                return
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        server.streams -= 1


def event_lines(one: Event) -> str:
    """Return an event as its stream carries it."""
    data = json.dumps(one.to_json(), ensure_ascii=False)
    return f"id: {one.id}\nevent: {one.kind}\ndata: {data}\n\n"
