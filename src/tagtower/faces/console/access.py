"""Who sits at the console: a session, a role, and forms that only this console can have sent."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from tagtower.faces.console.render import back_of
from tagtower.faces.console.routes import SignInNeededError
from tagtower.faces.http.auth import CSRF_HEADER, LOCAL, SAFE, Principal, bearer_of, check_csrf, signed_in
from tagtower.faces.http.parts import Parts, parts_of
from tagtower.faces.http.problems import Problem
from tagtower.library.keys import Role
from tagtower.usecases.installation.home import Installation


@dataclass(frozen=True, slots=True)
class Seat:
    """A request of somebody who may make it."""

    request: Request
    parts: Parts
    principal: Principal

    @property
    def installation(self) -> Installation:
        """The installation."""
        return self.parts.installation

    @property
    def author(self) -> str:
        """Under which name changes are kept."""
        return self.principal.name

    async def back(self, otherwise: str) -> str:
        """Return the page that a form came from."""
        return back_of(str((await self.request.form()).get("back", ""))) or otherwise

    def must(self, role: Role) -> None:
        """Return if the seat may what `role` may.

        Raises:
            Problem: it may not.
        """
        if self.principal.may(role):
            return
        raise Problem(
            403,
            "forbidden",
            "Terminals have no console."
            if self.principal.role == "terminal"
            else f"This takes the role {role}, and {self.principal.name} is {self.principal.role}.",
            hint="Sign in with another key, or ask an administrator for one.",
        )


def seat(role: Role) -> Callable[[Request], Coroutine[Any, Any, Seat]]:
    """Return a dependency that gives the seat to who may what `role` may.

    It raises SignInNeededError where nobody is signed in, and Problem where the role is less, or a form is not of the
    session.
    """

    async def check(request: Request) -> Seat:
        principal = await run_in_threadpool(signed_in, request)
        if principal is None:
            raise SignInNeededError
        request.state.console_principal = principal
        if request.method not in SAFE and principal is not LOCAL and bearer_of(request) is None:
            token = request.headers.get(CSRF_HEADER) or str((await request.form()).get("csrf", ""))
            check_csrf(request, token)
        found = Seat(request, parts_of(request), principal)
        found.must(role)
        return found

    return check


Editor = Annotated[Seat, Depends(seat("editor"))]
Admin = Annotated[Seat, Depends(seat("admin"))]
