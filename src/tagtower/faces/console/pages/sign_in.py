"""Signing in with a key, and out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from tagtower.faces.console.access import Editor
from tagtower.faces.console.render import back_of, go, page
from tagtower.faces.console.routes import ConsoleRoute, failure
from tagtower.faces.http.auth import session_of, signed_in
from tagtower.faces.http.parts import parts_of
from tagtower.faces.http.sessions import LASTS, cookie_name, new_session
from tagtower.library.keys import PREFIX
from tagtower.usecases.installation import keys

router = APIRouter(route_class=ConsoleRoute)


@router.get("/")
def first(_: Editor) -> Response:
    """Lead to where work begins."""
    return go("/review")


@router.get("/sign-in")
def ask(request: Request, to: str = "/review") -> Response:
    """Ask for a key."""
    found = signed_in(request)
    if found is not None and found.may("editor"):
        return go(back_of(to) or "/review")
    return page(request, "sign_in.html.j2", to=back_of(to) or "/review", wrong=None)


@router.post("/sign-in")
def sign_in(
    request: Request, key: Annotated[str, Form()], to: Annotated[str, Form()] = "/review"
) -> Response:
    """Open a session for a key; where it may not be, say why."""
    parts = parts_of(request)
    text = key.strip()
    known = keys.by_text(parts.installation, text) if text.startswith(PREFIX) and text.isascii() else None
    to = back_of(to) or "/review"
    if known is None:
        wait = parts.refusals.wait("unknown" if request.client is None else request.client.host)
        wrong = (
            "Too many wrong keys came from here. Wait a minute."
            if wait
            else "This key is wrong, or was revoked."
        )
        response = page(request, "sign_in.html.j2", to=to, wrong=wrong)
        response.status_code = 429 if wait else 401
        return response
    if known.role == "terminal":
        return failure(request, 403, "Terminals have no console.", "Sign in with the key of an editor.")
    session = new_session(parts.secret, known.id, parts.installation.clock())
    answer = go(to)
    secure = parts.settings.secure
    answer.set_cookie(
        cookie_name(secure),
        session,
        max_age=int(LASTS.total_seconds()),
        path="/",
        secure=secure,
        httponly=True,
        samesite="strict",
    )
    return answer


@router.post("/sign-out")
def sign_out(seat: Editor) -> Response:
    """End the session, here and wherever else somebody has its cookie."""
    text = session_of(seat.request)
    if text is not None:
        keys.end_session(seat.installation, text, LASTS)
    answer = go("/sign-in")
    secure = seat.parts.settings.secure
    answer.delete_cookie(cookie_name(secure), path="/", secure=secure, httponly=True, samesite="strict")
    return answer
