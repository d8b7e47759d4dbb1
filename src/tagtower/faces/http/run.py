"""Running the application: uvicorn, its log as lines of JSON, and the model that is opened beforehand."""

from __future__ import annotations

import logging
import socket
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import uvicorn

from tagtower.config.installation import LogFormat
from tagtower.errors import TagTowerError, UsageError
from tagtower.faces.http.app import create_app
from tagtower.faces.http.connections import PatientProtocol
from tagtower.faces.http.parts import Parts
from tagtower.faces.http.requests import JsonLines, TextLines
from tagtower.faces.http.settings import ServerSettings
from tagtower.faces.tracing import start_tracing
from tagtower.usecases.installation.home import open_installation
from tagtower.usecases.installation.scratch import UPLOADS

DRAIN_SECONDS = 20
"""Requests that are being answered have so long to end."""

KEEP_ALIVE_SECONDS = 15

SWITCH_SECONDS = 0.001
"""A thread that works lets another one go on after so long. At Python's own five milliseconds a short answer waits for
long ones at every row that it reads, since each gives the interpreter away for a moment."""


def run_server(home: Path, settings: ServerSettings, *, log_format: LogFormat = "json") -> None:
    """Serve the installation in the folder `home` until SIGTERM or Ctrl-C.

    Raises:
        UsageError: there is none, or the address is taken.
    """
    start_log(log_format)
    sys.setswitchinterval(SWITCH_SECONDS)
    tracing = start_tracing("tagtower-server")
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening, open_installation(home) as installation:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((settings.host, settings.port))
        except OSError as error:
            raise UsageError(
                f"Nothing can listen at {settings.host}:{settings.port}: {error.strerror or error}.",
                hint="Give another --port, or end the program that has it.",
            ) from error
        # What a form carries is kept there until it is whole: on the installation's disk, not in the system's memory.
        uploads = installation.home / UPLOADS
        uploads.mkdir(mode=0o700, exist_ok=True)
        tempfile.tempdir = str(uploads)
        app = create_app(installation, settings=settings)
        app.state.parts.tracing = tracing
        config = uvicorn.Config(
            app,
            http=PatientProtocol,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=DRAIN_SECONDS,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
        server = _Server(config, app.state.parts)
        server.run(sockets=[listening])


def start_log(form: LogFormat) -> None:
    """Write the log to stderr, a line for each entry."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("tagtower.http", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.INFO)


class _Server(uvicorn.Server):
    """A server that opens the model once it listens, and tells streams which never end when it is about to end."""

    def __init__(self, config: uvicorn.Config, parts: Parts) -> None:
        super().__init__(config)
        self._parts = parts

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take requests, and only then open the model: its import would hold the start up for seconds."""
        await super().startup(sockets)
        threading.Thread(target=_open_model, args=(self._parts,), daemon=True).start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop taking requests, let streams end, wait for the others."""
        self._parts.stopping.set()
        await super().shutdown(sockets)


def _open_model(parts: Parts) -> None:
    """So that the first who asks need not wait; where there is none, it is opened later."""
    with suppress(TagTowerError):
        parts.recommender.warm()
