"""Connections that nothing comes of: closed after a while, and cut where a head does not end."""

from __future__ import annotations

import asyncio
from typing import Any, final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 20.0
"""The head of a request has so long to come, from the connection or from its first byte on."""

MOST_HEAD_BYTES = 64 * 1024


@final
class PatientProtocol(HttpToolsProtocol):
    """Uvicorn's protocol, which by itself waits for the head of a request for ever, whatever its length."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._timer: asyncio.TimerHandle | None = None
        self._in_head = True
        self._head = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._look()

    def on_headers_complete(self) -> None:
        """Note that the head is whole."""
        self._in_head, self._head = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that the next that comes is a head."""
        self._in_head = True
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """Take in what came; a head may not be endless."""
        super().data_received(data)
        if self._in_head and self._idle:
            self._head += len(data)
            if self._head > MOST_HEAD_BYTES:
                self._close()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop()
        super().connection_lost(exc)

    @property
    def _idle(self) -> bool:
        """Whether no request is being answered; the rest of one that was refused may still come."""
        return self.cycle is None or self.cycle.response_complete

    def _look(self) -> None:
        if not self._idle:
            self._stop()
        elif self._timer is None:
            self._timer = self.loop.call_later(HEAD_SECONDS, self._close)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close(self) -> None:
        self._timer = None
        if self._idle and not self.transport.is_closing():
            self.transport.close()
