"""Who asks, and whether he may: API keys, the console's sessions, and nobody at all on a machine of one's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from tagtower.faces.http.parts import Parts, parts_of
from tagtower.faces.http.problems import Problem
from tagtower.faces.http.sessions import cookie_name, good_csrf_token, read_session
from tagtower.library.keys import PREFIX, ROLES, ApiKey, Role
from tagtower.usecases.installation import keys

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
LOCAL_NAME = "local"
CSRF_HEADER = "X-CSRF-Token"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `key_id` is 0 for whoever sits at the machine of a server without keys."""

    key_id: int
    name: str
    role: Role

    def may(self, role: Role) -> bool:
        """Return whether all that `role` may is allowed."""
        return ROLES.index(self.role) >= ROLES.index(role)


LOCAL = Principal(0, LOCAL_NAME, "admin")


def bearer_of(request: Request) -> str | None:
    """Return the API key that a request carries."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" and text.strip() else None


def session_of(request: Request) -> str | None:
    """Return the text of the session cookie that a request carries."""
    return request.cookies.get(cookie_name(parts_of(request).settings.secure))


def signed_in(request: Request) -> Principal | None:
    """Return who asks, None where nobody says; whether a form is his own is not looked at.

    Raises:
        Problem: a key is wrong, or its owner asks too often.
    """
    parts = parts_of(request)
    text = bearer_of(request)
    found: Principal | None = None
    if text is not None:
        found = _by_key(request, parts, text)
    elif (cookie := session_of(request)) is not None:
        session = read_session(parts.secret, cookie, parts.installation.clock())
        key = keys.by_session(parts.installation, session.text, session.key_id) if session else None
        found = None if key is None else _principal(key)
    if found is None and parts.settings.loopback and not keys.any_made(parts.installation):
        found = LOCAL
    if found is not None:
        request.scope.setdefault("state", {})["principal"] = found.name
        _limit(parts, found)
    return found


def principal_of(request: Request) -> Principal:
    """Return who asks; a change by way of a session has to carry the session's token.

    Raises:
        Problem: nobody says who he is, or a change could be another site's.
    """
    found = signed_in(request)
    if found is None:
        raise Problem(
            401,
            "unauthorized",
            "Say who you are.",
            hint="Send an API key: `Authorization: Bearer KEY`. Make one with: tagtower keys HOME create NAME",
            headers={"WWW-Authenticate": "Bearer"},
        )
    by_session = bearer_of(request) is None and found is not LOCAL
    if by_session and request.method not in SAFE:
        check_csrf(request, request.headers.get(CSRF_HEADER, ""))
    return found


def check_csrf(request: Request, token: str) -> None:
    """Return if a token is that of the session of a request.

    Raises:
        Problem: it is not.
    """
    session = session_of(request)
    if session is None or not good_csrf_token(parts_of(request).secret, session, token):
        raise Problem(
            403,
            "forbidden",
            "The form was made for another sign-in.",
            hint="Load the page again, then repeat it.",
        )


def require(role: Role) -> Callable[..., Awaitable[Principal]]:
    """Return a dependency that lets through who may what `role` may; `role` stands on it, for tests."""

    async def check(principal: Annotated[Principal, Depends(principal_of)]) -> Principal:
        if not principal.may(role):
            raise Problem(
                403,
                "forbidden",
                f"This takes the role {role}, and {principal.name!r} has {principal.role}.",
                hint="Ask an administrator for another key.",
            )
        return principal

    marked: Any = check
    marked.role = role
    return check


ForTerminal = Annotated[Principal, Depends(require("terminal"))]
ForEditor = Annotated[Principal, Depends(require("editor"))]
ForAdmin = Annotated[Principal, Depends(require("admin"))]

TO_ERASE: Role = "admin"
"""What erasing takes, by program and at the console: nothing brings back what is erased."""

ForErasing = Annotated[Principal, Depends(require(TO_ERASE))]


def _by_key(request: Request, parts: Parts, text: str) -> Principal:
    address = "unknown" if request.client is None else request.client.host
    key = keys.by_text(parts.installation, text) if text.startswith(PREFIX) and text.isascii() else None
    if key is not None:
        return _principal(key)
    wait = parts.refusals.wait(address)
    if wait:
        raise Problem(
            429,
            "too-many-requests",
            "Too many wrong keys came from this address.",
            hint="Wait, then try the right one.",
            headers={"Retry-After": str(int(wait) + 1)},
        )
    raise Problem(
        401,
        "unauthorized",
        "The API key is wrong, or was revoked.",
        hint="Make one with: tagtower keys HOME create NAME",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _limit(parts: Parts, principal: Principal) -> None:
    wait = parts.rates.wait(principal.name)
    if wait:
        raise Problem(
            429,
            "too-many-requests",
            f"{principal.name!r} asks too often.",
            hint="Wait as long as Retry-After says; many videos at once go into one request.",
            headers={"Retry-After": str(int(wait) + 1)},
        )


def _principal(key: ApiKey) -> Principal:
    return Principal(key.id, key.name, key.role)
