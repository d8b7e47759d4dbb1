"""What is done to every request: an id, limits of size, names and origins that may be, headers, a line in the log."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
import time
from datetime import UTC, datetime
from typing import Any, final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tagtower.faces.http.auth import SAFE
from tagtower.faces.http.parts import Parts
from tagtower.faces.http.problems import Problem, problem_response
from tagtower.faces.http.settings import ServerSettings
from tagtower.faces.tracing import Note

log = logging.getLogger("tagtower.http")

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
CONTENT_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
"""On every answer, unless a route says otherwise."""

GONE = 499
"""Stands in log and metrics for a client that went away before it was answered."""

LARGE = re.compile(r"/v1/videos|/v1/videos/uploads/[^/]+|/v1/recommend/file")
IMPORT = re.compile(r"/v1/tags/import|/v1/recommend/batch")


@final
class RequestFrame:
    """The ASGI layer around the whole application."""

    def __init__(self, app: ASGIApp, parts: Parts) -> None:
        self._app = app
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        facts = {"http.request.method": scope["method"], "tagtower.request_id": request_id}
        with self._parts.tracing.span("request", facts, caller=headers) as note:
            await self._pass(scope, receive, send, headers, request_id, note)

    async def _pass(
        self, scope: Scope, receive: Receive, send: Send, headers: Headers, request_id: str, note: Note
    ) -> None:
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        start = time.perf_counter()
        status = 0
        metrics = self._parts.metrics
        metrics.open.inc()

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                found = MutableHeaders(scope=message)
                found["X-Request-ID"] = request_id
                for name, value in HEADERS.items():
                    found.setdefault(name, value)
                if self._parts.settings.secure:
                    found.setdefault("Strict-Transport-Security", "max-age=31536000")
            await send(message)

        try:
            refused = self._refusal(scope, headers)
            if refused is not None:
                response = problem_response(
                    refused.status_code,
                    refused.kind,
                    refused.detail,
                    hint=refused.hint,
                    request_id=request_id,
                    headers={"Connection": "close"},
                )
                await response(scope, receive, answer)
            else:
                await self._app(scope, _guarded(receive, scope, self._parts.settings), answer)
        except ClientDisconnect:
            status = status or GONE
        except Exception:
            metrics.faults.inc()
            log.exception("unexpected failure", extra={"facts": {"request": request_id}})
            if status:
                raise
            response = problem_response(
                500,
                "bug",
                "The server met a failure that it did not expect.",
                hint="Its log tells more under the id of this request.",
                request_id=request_id,
            )
            await response(scope, receive, answer)
        finally:
            metrics.open.dec()
            seconds = time.perf_counter() - start
            route = getattr(scope.get("route"), "path", None) or "none"
            metrics.observe(scope["method"], route, status, seconds)
            note(
                f"{scope['method']} {route}",
                {
                    "http.route": route,
                    "http.response.status_code": status,
                    "tagtower.principal": state.get("principal"),
                },
            )
            log.info(
                "request",
                extra={
                    "facts": {
                        "request": request_id,
                        "method": scope["method"],
                        "route": route,
                        "status": status,
                        "seconds": round(seconds, 4),
                        "principal": state.get("principal"),
                        "client": (scope.get("client") or (None,))[0],
                    }
                },
            )

    def _refusal(self, scope: Scope, headers: Headers) -> Problem | None:
        """Why a request is not even looked at."""
        settings = self._parts.settings
        host = headers.get("host", "")
        if not settings.called(host):
            return Problem(
                421,
                "wrong-host",
                "This server has another name.",
                hint="Call it by the address that it printed.",
            )
        origin = headers.get("origin")
        if scope["method"] not in SAFE and origin is not None and not _same_origin(origin, host):
            return Problem(403, "forbidden", "Another site sent this.", hint="Use the console's own pages.")
        length = headers.get("content-length", "0")
        limit = body_limit(scope["path"], scope["method"], settings)
        if not length.isascii() or not length.isdigit():
            return Problem(400, "malformed", "The Content-Length is no number.")
        return _too_large(limit) if int(length) > limit else None


def body_limit(path: str, method: str, settings: ServerSettings) -> int:
    """Return how many bytes a request may carry."""
    if LARGE.fullmatch(path) and method in ("POST", "PATCH", "PUT"):
        return settings.max_upload_bytes
    return settings.max_import_bytes if IMPORT.fullmatch(path) else settings.max_body_bytes


def _guarded(receive: Receive, scope: Scope, settings: ServerSettings) -> Receive:
    """Let no more through than the limit, whatever was announced, and wait for nobody who sends next to nothing."""
    limit = body_limit(scope["path"], scope["method"], settings)
    begun, seen, whole = time.monotonic(), 0, False

    async def guarded() -> Message:
        nonlocal seen, whole
        if whole:  # what is waited for now is that the client goes away
            return await receive()
        behind = begun + seen / settings.slowest_bytes_per_second - time.monotonic()
        try:
            async with asyncio.timeout(settings.patience_seconds + min(0.0, behind)):
                message = await receive()
        except TimeoutError:
            raise Problem(
                408,
                "too-slow",
                "The rest of the request did not come in time.",
                hint="Of an upload what came is kept: ask for its offset with HEAD, and go on from there.",
                headers={"Connection": "close"},
            ) from None
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if seen > limit:
                raise _too_large(limit)
        return message

    return guarded


def _too_large(limit: int) -> Problem:
    return Problem(
        413, "too-large", f"A request like this carries at most {limit:,} bytes.", hint="Send less."
    )


def _same_origin(origin: str, host: str) -> bool:
    return origin.partition("://")[2].lower() == host.lower()


@final
class JsonLines(logging.Formatter):
    """A line of JSON for each entry; of a request its template is told, never its query, headers or body."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the entry as a line."""
        facts: dict[str, Any] = getattr(record, "facts", {})
        entry = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **facts,
        }
        if record.exc_info:
            entry["trace"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


@final
class TextLines(logging.Formatter):
    """A line of plain text for each entry, with the same facts; traces follow on lines of their own."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the entry as a line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        facts: dict[str, Any] = getattr(record, "facts", {})
        told = "".join(f" {name}={json.dumps(value, default=str)}" for name, value in facts.items())
        line = f"{at} {record.levelname.lower()} {record.name}: {record.getMessage()}{told}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line
