"""Applications for tests, whose routes are read from their functions once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.routing import BaseRoute

    from tagtower.usecases.installation.home import Installation

_routes: list[BaseRoute] = []


def make_app(installation: Installation, **more: Any) -> FastAPI:
    """`create_app`, with the routes of the first application: every further one would read all of them again."""
    from tagtower.faces.http.app import create_app

    app = create_app(installation, **more)
    if not _routes:
        _routes.extend(app.router.routes)
    app.router.routes[:] = _routes
    return app
