"""Whether the server lives, and whether it can do its work."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from tagtower.errors import StorageError
from tagtower.faces.http.parts import Server
from tagtower.faces.http.schemas import example
from tagtower.usecases.installation.overview import readiness

router = APIRouter(tags=["operation"])


@router.get("/healthz", summary="Is it alive?", responses=example({"status": "alive"}))
async def healthz() -> dict[str, str]:
    """Answers as long as the server can answer anything; neither database nor model is asked."""
    return {"status": "alive"}


@router.get(
    "/readyz",
    summary="Can it work?",
    responses={
        **example({"status": "ready", "database": True, "model": True}),
        503: {"description": "Not yet: the parts say what is missing."},
    },
)
def readyz(server: Server, response: Response) -> dict[str, Any]:
    """Answers 200 if the database can be reached and a model is active, 503 otherwise."""
    try:
        model = readiness(server.installation)
        database = True
    except StorageError:
        model, database = False, False
    ready = database and model and not server.stopping.is_set()
    if not ready:
        response.status_code = 503
        response.headers["Retry-After"] = "5"
    return {"status": "ready" if ready else "not ready", "database": database, "model": model}
