"""What a running server consists of; made once, and handed to every route."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Annotated, ParamSpec, TypeVar, final

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool

from tagtower.faces.http.metrics import ServerMetrics
from tagtower.faces.http.rates import Rates
from tagtower.faces.http.settings import ServerSettings
from tagtower.faces.tracing import Tracing
from tagtower.media.isolation import Decoder
from tagtower.usecases.installation import keys
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.questions import Answering, LazyRecommender

P = ParamSpec("P")
T = TypeVar("T")

DECODERS = 1
"""Processes that look at files which come in; more would only take the cores from the workers."""


LOOKS = DECODERS + 2
"""So many requests at most are at media at a time, the one whose file is decoded and those that copy theirs: all others
wait without a thread, or searches would wait for them."""


@final
class Parts:
    """The installation and what the server keeps beside it."""

    def __init__(
        self, installation: Installation, settings: ServerSettings, recommender: Answering | None = None
    ) -> None:
        self.installation = installation
        self.settings = settings
        self.recommender: Answering = LazyRecommender(installation) if recommender is None else recommender
        self.secret = keys.session_secret(installation)
        self.rates = Rates(settings.requests_per_second, settings.requests_burst)
        self.refusals = Rates(settings.refusals_per_minute / 60, settings.refusals_per_minute)
        self.metrics = ServerMetrics()
        self.metrics.serve(installation)
        self.decoder = Decoder(installation.settings.media, workers=DECODERS)
        self.tracing = Tracing()
        self.stopping = threading.Event()
        self.busy_uploads: set[str] = set()
        self.streams = 0
        self.fetches = 0
        self._looks = asyncio.Semaphore(LOOKS)

    async def look(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Do in a thread what looks at media, when it is its turn."""
        async with self._looks:
            return await run_in_threadpool(work, *arguments, **named)

    def close(self) -> None:
        """End what runs beside the server."""
        self.stopping.set()
        self.recommender.close()
        self.decoder.close()


def parts_of(request: Request) -> Parts:
    """Return the parts of the server that a request came to."""
    found = request.app.state.parts
    assert isinstance(found, Parts)
    return found


async def _parts_of(request: Request) -> Parts:
    return parts_of(request)


Server = Annotated[Parts, Depends(_parts_of)]
"""The parts, for a route. What a route depends on is awaited where it waits for nothing: anything else goes through a
thread and back, and half of what an answer takes is that."""
