"""Failures as `application/problem+json`: what happened, and what to do about it, but nothing of the inside."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tagtower.errors import (
    ConflictError,
    DatabaseError,
    FetchError,
    FingerprintError,
    InputError,
    MissingExtraError,
    NotFoundError,
    OfflineError,
    StorageError,
    TagTowerError,
    UsageError,
)
from tagtower.faces.http.schemas import ProblemBody

MEDIA_TYPE = "application/problem+json"
TYPES = "urn:tagtower:problem:"

STATUS: tuple[tuple[type[TagTowerError], int, str], ...] = (
    (NotFoundError, 404, "not-found"),
    (ConflictError, 409, "conflict"),
    (FingerprintError, 409, "conflict"),
    (MissingExtraError, 501, "not-installed"),
    (UsageError, 422, "unusable"),
    (InputError, 422, "unusable"),
    (DatabaseError, 503, "database"),
    (StorageError, 503, "storage"),
    (OfflineError, 503, "offline"),
    (FetchError, 422, "unreachable"),
)
"""The first that fits; every other expected failure is the server's own: 500."""

FULL = ("no space", "disk is full", "is full", "enospc")


class Problem(HTTPException):
    """A failure of the face itself; `kind` is the last part of its type."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        hint: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.kind = kind
        self.hint = hint


def problem_response(
    status: int,
    kind: str,
    detail: str,
    *,
    hint: str | None = None,
    request_id: str | None = None,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> JSONResponse:
    """Return a failure as a response."""
    body = {
        "type": TYPES + kind,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "hint": hint,
        "request": request_id,
        **(more or {}),
    }
    return JSONResponse(body, status, dict(headers or {}), MEDIA_TYPE)


def status_of(error: TagTowerError) -> tuple[int, str]:
    """Return the status and kind of an expected failure."""
    for kind, status, name in STATUS:
        if isinstance(error, kind):
            if isinstance(error, StorageError) and any(one in str(error).lower() for one in FULL):
                return 507, "full"
            return status, name
    return 500, "failed"


def add_problem_handlers(app: FastAPI) -> None:
    """Let every failure of `app` be answered as a problem."""
    app.add_exception_handler(TagTowerError, _expected)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def _expected(request: Request, error: Exception) -> Response:
    assert isinstance(error, TagTowerError)
    status, kind = status_of(error)
    headers = {"Retry-After": "5"} if status == 503 else {}
    return problem_response(
        status, kind, error.message, hint=error.hint, request_id=_id(request), headers=headers
    )


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = error.kind if isinstance(error, Problem) else _slug(error.status_code)
    hint = error.hint if isinstance(error, Problem) else None
    return problem_response(
        error.status_code,
        kind,
        str(error.detail),
        hint=hint,
        request_id=_id(request),
        headers=error.headers,
    )


def _invalid(request: Request, error: Exception) -> Response:
    """A request of another form than the route's; what was sent is not repeated."""
    assert isinstance(error, RequestValidationError)
    errors = [
        {"field": ".".join(str(part) for part in one["loc"]), "message": str(one["msg"])}
        for one in error.errors()
    ][:20]
    malformed = any(one["type"] == "json_invalid" for one in error.errors())
    first = errors[0] if errors else {"field": "", "message": "malformed"}
    return problem_response(
        400 if malformed else 422,
        "malformed" if malformed else "unusable",
        f"{first['field']}: {first['message']}",
        hint="The form of every request stands in /v1/openapi.json.",
        request_id=_id(request),
        more={"errors": errors},
    )


def _slug(status: int) -> str:
    return HTTPStatus(status).phrase.lower().replace(" ", "-")


def _id(request: Request) -> str | None:
    found = request.scope.get("state", {}).get("request_id")
    return None if found is None else str(found)


RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {
        "model": ProblemBody,
        "description": "A problem: what happened and what to do.",
        "content": {MEDIA_TYPE: {}},
    }
}
"""What every route may answer beside its own."""
