"""The route that Prometheus reads."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from tagtower.faces.http.auth import ForTerminal
from tagtower.faces.http.parts import Server

router = APIRouter(tags=["operation"])


@router.get(
    "/metrics",
    summary="Numbers for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"example": 'tagtower_videos{shelf="labelled"} 120.0'}}}},
)
def read_metrics(server: Server, principal: ForTerminal) -> Response:
    """Requests, latencies, shelves, failures and workers in Prometheus' text format."""
    return Response(server.metrics.text(), media_type=CONTENT_TYPE_LATEST)
