"""What a running server consists of; made once, and handed to every route."""

from __future__ import annotations

import threading
from typing import Annotated, final

from fastapi import Depends, Request

from tagtower.faces.http.metrics import ServerMetrics
from tagtower.faces.http.rates import Rates
from tagtower.faces.http.settings import ServerSettings
from tagtower.faces.tracing import Tracing
from tagtower.media.isolation import Decoder
from tagtower.usecases.installation import keys
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.questions import Answering, LazyRecommender

DECODERS = 1
"""Processes that look at files which come in; more would only take the cores from the workers."""


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


Server = Annotated[Parts, Depends(parts_of)]
