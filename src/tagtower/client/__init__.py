"""A client of the HTTP API, blocking (`Client`) and awaited (`AsyncClient`); it needs nothing of TagTower but itself.

from tagtower.client import Client

with Client("http://127.0.0.1:8765", key="tt_...") as client:
    for video in client.videos.search(tags=["football"]):
        print(video.id, video.title)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tagtower.client.failures import (
    AccessError,
    AnswerError,
    ApiConflictError,
    ApiError,
    ApiInputError,
    ApiNotFoundError,
    BusyError,
    LabellingError,
    LabellingTimeoutError,
    UnreachableError,
    UploadBrokenError,
)
from tagtower.client.memory import UploadMemory
from tagtower.client.retrying import Retry
from tagtower.errors import MissingExtraError

if TYPE_CHECKING:
    from tagtower.client.client import AsyncClient, Client

__all__ = [
    "AccessError",
    "AnswerError",
    "ApiConflictError",
    "ApiError",
    "ApiInputError",
    "ApiNotFoundError",
    "AsyncClient",
    "BusyError",
    "Client",
    "LabellingError",
    "LabellingTimeoutError",
    "Retry",
    "UnreachableError",
    "UploadBrokenError",
    "UploadMemory",
]


def __getattr__(name: str) -> Any:
    """Import httpx on first use, so that a command's help needs none."""
    if name in ("AsyncClient", "Client"):
        try:
            return getattr(import_module("tagtower.client.client"), name)
        except ImportError as fault:
            if fault.name != "httpx":
                raise
            raise MissingExtraError("The client", "client") from None
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
