"""The console's own files, styles and scripts: read once, and named by their content, so that browsers keep them."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import Response

from tagtower.errors import NotFoundError
from tagtower.faces.console.routes import ConsoleRoute

TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3.5" fill="#0b6b63"/>'
    '<path d="M4.5 12.5v-7l2-2v9m3 0v-6l2-2v8M3 12.5h10" fill="none" stroke="#fff" stroke-width="1.4" '
    'stroke-linejoin="round" stroke-linecap="round"/></svg>'
)

router = APIRouter(route_class=ConsoleRoute)


@cache
def contents() -> dict[str, bytes]:
    """Return every file by its name."""
    folder = files("tagtower.faces.console") / "static"
    return {one.name: one.read_bytes() for one in folder.iterdir() if one.name.endswith(tuple(TYPES))}


@cache
def address(name: str) -> str:
    """Return where a file is had; its content is part of the address."""
    return f"/static/{name}?v={hashlib.sha256(contents()[name]).hexdigest()[:12]}"


@router.get("/static/{name}")
def static(name: str) -> Response:
    """Send a file."""
    found = contents().get(name)
    if found is None:
        raise NotFoundError("There is no such file.", hint="Load the page again.")
    kind = TYPES[name[name.rindex(".") :]]
    return Response(found, media_type=kind, headers={"Cache-Control": "public, max-age=31536000, immutable"})


@router.get("/favicon.svg")
def icon() -> Response:
    """Send the sign of the console."""
    return Response(ICON, media_type="image/svg+xml", headers={"Cache-Control": "public, max-age=86400"})
