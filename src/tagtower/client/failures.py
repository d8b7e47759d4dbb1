"""What can go wrong between a client and its server, as exceptions that callers tell apart by type.

ApiError                    the server refused; `status`, `kind` and `request` are those of its problem
├── AccessError             no key, a wrong one, or one of a lower role (401, 403, 421)
├── ApiNotFoundError        also a NotFoundError (404)
├── ApiConflictError        also a ConflictError (409, 412)
├── ApiInputError           also an InputError: what was sent is unusable (400, 413, 416, 422)
└── BusyError               asked too often, or not at present (429, 502, 503, 504, 507); `retry_after` in seconds
UnreachableError            no answer at all; a FetchError
└── UploadBrokenError       a file of which a part is there; sending it again goes on
AnswerError                 an answer of another form than this version knows
LabellingError              a video that the server could not label
LabellingTimeoutError       a video that was not labelled in time
"""

from __future__ import annotations

import json
from typing import Any

from tagtower.client.steps import Fault, Reply
from tagtower.errors import ConflictError, FetchError, InputError, NotFoundError, TagTowerError

TYPES = "urn:tagtower:problem:"
HINTS = {
    401: "Give the client a key: tagtower keys HOME create NAME",
    403: "Ask an administrator for a key of a higher role.",
    404: "Check the number or the name.",
    429: "Wait, then ask again.",
    502: "The proxy reaches no server: look whether it runs.",
    503: "Ask again in a moment.",
    504: "Ask again in a moment.",
}
"""Where the server gives none, such as a proxy before it."""


class ApiError(TagTowerError):
    """A problem that the server answered with; `kind` is the last part of its type, `request` its id in the log."""

    def __init__(
        self, message: str, *, hint: str | None, status: int, kind: str, request: str | None
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.kind = kind
        self.request = request


class AccessError(ApiError):
    """The key is missing, wrong, or of a role that may not do this."""


class ApiNotFoundError(ApiError, NotFoundError):
    """There is no such thing on the server."""


class ApiConflictError(ApiError, ConflictError):
    """Somebody changed it meanwhile, or its state does not allow this."""


class ApiInputError(ApiError, InputError):
    """What was sent cannot be used."""


class BusyError(ApiError):
    """The server cannot do it now; `retry_after` is how many seconds it asks to be left alone, if it said so."""

    def __init__(self, message: str, *, retry_after: float | None = None, **more: Any) -> None:
        super().__init__(message, **more)
        self.retry_after = retry_after


class UnreachableError(FetchError):
    """The server gave no answer."""


class UploadBrokenError(UnreachableError):
    """An upload broke off: `offset` of `length` bytes are on the server, as the upload `upload_id`."""

    def __init__(self, message: str, *, hint: str | None, upload_id: str, offset: int, length: int) -> None:
        super().__init__(message, hint=hint)
        self.upload_id = upload_id
        self.offset = offset
        self.length = length


class AnswerError(TagTowerError):
    """The server answered in a form that this version does not know."""


class LabellingError(TagTowerError):
    """The server could not label the video `video`; it lies on the failed shelf."""

    def __init__(self, message: str, *, hint: str | None, video: int) -> None:
        super().__init__(message, hint=hint)
        self.video = video


class LabellingTimeoutError(TagTowerError):
    """The video `video` was not labelled in the time that was given; it still waits."""

    def __init__(self, message: str, *, hint: str | None, video: int) -> None:
        super().__init__(message, hint=hint)
        self.video = video


BY_STATUS: dict[int, type[ApiError]] = {
    400: ApiInputError,
    401: AccessError,
    403: AccessError,
    404: ApiNotFoundError,
    409: ApiConflictError,
    412: ApiConflictError,
    413: ApiInputError,
    416: ApiInputError,
    421: AccessError,
    422: ApiInputError,
    429: BusyError,
    502: BusyError,
    503: BusyError,
    504: BusyError,
    507: BusyError,
}


def failure_of(reply: Reply) -> ApiError:
    """Return the exception for an answer that is no success; message and hint are the server's where it gave any."""
    problem: dict[str, Any] = {}
    try:
        found = json.loads(reply.body)
        problem = found if isinstance(found, dict) else {}
    except ValueError:
        pass  # a proxy's page
    detail = problem.get("detail")
    hint = problem.get("hint") or HINTS.get(reply.status)
    request = problem.get("request") or reply.headers.get("x-request-id")
    kind = str(problem.get("type", "")).removeprefix(TYPES) or "unknown"
    message = detail if isinstance(detail, str) and detail else f"The server answered with {reply.status}."
    more: dict[str, Any] = {"hint": hint, "status": reply.status, "kind": kind, "request": request}
    known = BY_STATUS.get(reply.status, ApiError)
    if known is BusyError:
        more["retry_after"] = retry_after(reply)
    return known(message, **more)


def unreachable(fault: Fault, server: str) -> UnreachableError:
    """Return the exception for a request that got no answer."""
    return UnreachableError(
        f"{server} gives no answer: {fault.reason}.",
        hint="Check the address (--server or TAGTOWER_SERVER) and that the server runs: tagtower serve HOME",
    )


def retry_after(reply: Reply) -> float | None:
    """Return the seconds after which a server asks to be asked again, None where it does not say, or by a date."""
    text = reply.headers.get("retry-after", "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 9 else None
