"""Adds the console's pages and files to the server."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from tagtower.faces.console import files
from tagtower.faces.console.pages import (
    health,
    keys,
    library,
    live,
    models,
    review,
    sign_in,
    tags,
    topics,
    video,
    webhooks,
)

PAGES: tuple[APIRouter, ...] = (
    sign_in.router,
    review.router,
    library.router,
    video.router,
    tags.router,
    topics.router,
    models.router,
    health.router,
    webhooks.router,
    keys.router,
    live.router,
    files.router,
)


def add_console(app: FastAPI) -> None:
    """Let `app`, which has the parts of the server, serve the console too."""
    app.state.pulses = live.Pulses()
    for page in PAGES:
        app.include_router(page, include_in_schema=False)
