"""How the console's routes fail: as a page for a person, or as a note in the page that asked."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, final
from urllib.parse import quote

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from fastapi.routing import APIRoute

from tagtower.errors import TagTowerError
from tagtower.faces.console.render import Flash, back_of, is_part, page, set_flash
from tagtower.faces.http.problems import Problem, status_of


class SignInNeededError(Exception):
    """Nobody is signed in."""


@final
class ConsoleRoute(APIRoute):
    """A route whose failures a person reads."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, with its failures turned into pages."""
        inner = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await inner(request)
            except SignInNeededError:
                return _to_sign_in(request)
            except TagTowerError as error:
                return await _expected(request, error)
            except Problem as problem:
                return failure(request, problem.status_code, str(problem.detail), problem.hint)
            except RequestValidationError:
                return failure(
                    request, 422, "The form was not filled in as it should be.", "Go back and look."
                )
            except HTTPException as error:
                return failure(request, error.status_code, str(error.detail), None)

        return handler


def failure(request: Request, status: int, message: str, hint: str | None) -> Response:
    """Return the page, or the part of a page, that says what failed."""
    name = "_failure.html.j2" if is_part(request) else "failure.html.j2"
    response = page(request, name, status=status, message=message, hint=hint)
    # Parts are put into the page only where the status is one of success.
    response.status_code = 200 if is_part(request) and status != 403 else status
    return response


async def _expected(request: Request, error: TagTowerError) -> Response:
    status, _ = status_of(error)
    if request.method == "POST" and not is_part(request):
        back = back_of(str((await request.form()).get("back", "")))
        if back is not None:
            response = RedirectResponse(back, 303)
            set_flash(response, Flash(error.message, hint=error.hint, bad=True))
            return response
    return failure(request, status, error.message, error.hint)


def _to_sign_in(request: Request) -> Response:
    if is_part(request):
        return Response(headers={"HX-Redirect": "/sign-in"})
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(
        f"/sign-in?to={quote(wanted)}" if request.method == "GET" and wanted != "/" else "/sign-in", 303
    )
