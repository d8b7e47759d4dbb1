"""The application: routes, failures and what surrounds every request, put together for one installation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from anyio.to_thread import current_default_thread_limiter
from fastapi import APIRouter, FastAPI

from tagtower.faces.http import health, metrics_route
from tagtower.faces.http.parts import Parts
from tagtower.faces.http.problems import RESPONSES, add_problem_handlers
from tagtower.faces.http.requests import RequestFrame
from tagtower.faces.http.routes import (
    events,
    feeds,
    media,
    models,
    recommend,
    tag_changes,
    tag_feeds,
    tags,
    uploads,
    videos,
    webhooks,
)
from tagtower.faces.http.settings import ServerSettings
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.questions import Answering

DESCRIPTION = """\
Stores videos, labels them from a tag library that changes by the minute, and finds them by tag.

Send an API key as `Authorization: Bearer KEY`. Failures are `application/problem+json` with a `hint` that says what to
do. A creation with an `Idempotency-Key` can be repeated safely; a change with `If-Match` overwrites nothing unseen.
"""

THREADS = 8
"""Requests that are worked at together, as many as there are connections to the database; the others wait in order.
More threads would not answer more: only one of them runs Python at a time."""

ROUTERS: tuple[APIRouter, ...] = (
    uploads.router,
    media.router,
    videos.router,
    tag_changes.router,
    tag_feeds.router,
    tags.router,
    recommend.router,
    models.router,
    events.router,
    webhooks.router,
    feeds.router,
)
"""Fixed addresses come before those with a number in the same place."""


def create_app(
    installation: Installation,
    *,
    labeller: Answering | None = None,
    settings: ServerSettings | None = None,
) -> FastAPI:
    """Return the application of an open installation.

    Args:
        labeller: the active model at work; default one that is opened when it is first wanted.
        settings: how it may be reached; default only from this machine.
    """
    parts = Parts(installation, settings or ServerSettings(), labeller)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = THREADS
        yield
        parts.close()

    app = FastAPI(
        title="TagTower",
        version=version("tagtower"),
        description=DESCRIPTION,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # these pages load scripts from other hosts
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
        responses=RESPONSES,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # it would tell what was searched for
    )
    app.state.parts = parts
    add_problem_handlers(app)
    app.include_router(health.router)
    app.include_router(metrics_route.router)
    for router in ROUTERS:
        app.include_router(router)
    _add_console(app)
    app.add_middleware(RequestFrame, parts=parts)
    return app


def _add_console(app: FastAPI) -> None:
    from importlib import import_module
    from importlib.util import find_spec

    if find_spec("tagtower.faces.console") is not None:
        import_module("tagtower.faces.console.app").add_console(app)
