"""Requests that depend on what the client has seen: entity tags, and keys by which a request is done only once."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, final

from fastapi import Header, Request
from fastapi.concurrency import run_in_threadpool
from pydantic_core import to_json
from starlette.responses import Response

from tagtower.faces.http.auth import Principal
from tagtower.faces.http.parts import Parts
from tagtower.faces.http.problems import Problem
from tagtower.usecases.installation import replies

REPLAYED = "Idempotency-Replayed"

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="The same request with the same key is done once, and answered the same for a day.",
        examples=["8e03978e-40d5-43e8-bc93-6894a57f9324"],
    ),
]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="The ETag of what you saw: the change is refused if it is another now.",
        examples=['"v17"'],
    ),
]
IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match", description="The ETag that you have.")]


def entity_tag(mark: str) -> str:
    """Return a mark as an ETag."""
    return f'"{mark}"'


def mark_of(if_match: str | None) -> str | None:
    """Return the mark that a change is bound to, None for none.

    Raises:
        Problem: it is no strong ETag.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    found = re.fullmatch(r'"([\x21\x23-\x7e]{1,100})"', if_match.strip())
    if found is None:
        raise Problem(400, "malformed", "If-Match is no strong ETag.", hint="Send the ETag as it was given.")
    return found[1]


def version_of(if_match: str | None) -> int | None:
    """Return the version of the tag library that a change is bound to, None for none.

    Raises:
        Problem: it is no such ETag.
    """
    mark = mark_of(if_match)
    if mark is None:
        return None
    found = re.fullmatch(r"v([0-9]{1,18})", mark)
    if found is None:
        raise Problem(412, "precondition-failed", "If-Match is of something else.", hint="Look at it again.")
    return int(found[1])


def unchanged(if_none_match: str | None, mark: str) -> bool:
    """Return whether a client has this already."""
    if if_none_match is None:
        return False
    return any(one.strip().removeprefix("W/") == entity_tag(mark) for one in if_none_match.split(","))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a route has to say; `video_id` is whose data the body holds."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    video_id: int | None = None

    def response(self) -> Response:
        """Return it as a response. A page of videos has hundreds of tags: a quicker writer than Python's pays."""
        return Response(
            to_json(self.body, inf_nan_mode="null"), self.status, self.headers, "application/json"
        )


@final
class Once:
    """A request that is done only once, if its client gave it a key."""

    def __init__(
        self, server: Parts, principal: Principal, request: Request, key: str | None, body: Any = None
    ) -> None:
        self._server = server
        self._principal = principal.name
        self._key = key
        asked = [request.method, request.url.path, request.url.query, body]
        if body is None:
            asked += [request.headers.get("content-type"), request.headers.get("content-length")]
        text = json.dumps(asked, sort_keys=True, default=str)
        self._request = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def run(self, work: Callable[[], Answer]) -> Response:
        """Do the work, or answer as before."""
        before = self._before()
        if before is not None:
            return before
        try:
            return self._after(work())
        except BaseException:
            self._failed()
            raise

    async def run_async(self, work: Callable[[], Awaitable[Answer]]) -> Response:
        """Do the work, or answer as before."""
        if self._key is None:
            return (await work()).response()
        before = await run_in_threadpool(self._before)
        if before is not None:
            return before
        try:
            return await run_in_threadpool(self._after, await work())
        except BaseException:
            await run_in_threadpool(self._failed)
            raise

    def _before(self) -> Response | None:
        if self._key is None:
            return None
        hours = self._server.settings.reply_hours
        found = replies.claim(
            self._server.installation, self._principal, self._key, self._request, keep_hours=hours
        )
        if found is None or found.status is None:
            return None
        return Answer(found.body, found.status, {**found.headers, REPLAYED: "true"}).response()

    def _after(self, answer: Answer) -> Response:
        if self._key is not None:
            replies.keep(
                self._server.installation,
                self._principal,
                self._key,
                status=answer.status,
                body=answer.body,
                headers=answer.headers,
                video_id=answer.video_id,
            )
        return answer.response()

    def _failed(self) -> None:
        if self._key is not None:
            replies.forget(self._server.installation, self._principal, self._key)
