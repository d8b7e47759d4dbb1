"""What happens: lists, and a stream that goes on by itself after a break (server-sent events)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, closing
from typing import Any, final

from tagtower.client.answers.operation import Event, EventPage
from tagtower.client.decoding import answer, decode, nothing
from tagtower.client.failures import AnswerError
from tagtower.client.grouping import AsyncGroup, Group, SyncGroup, call
from tagtower.client.retrying import Retry, settle
from tagtower.client.steps import Ask
from tagtower.client.transport import BrokenStreamError

EVENTS = "/v1/events"
SILENCE_SECONDS = 60.0
"""The server says every quarter of a minute that it is still there."""


@final
class EventReader:
    """Reads a stream of events line by line, and knows where to go on.

    `last` is the number of the last event that came, or the one that the server named when the stream began.
    """

    def __init__(self, retry: Retry, server: str, last: int | None, kinds: Sequence[str]) -> None:
        self.last = last
        self._retry = retry
        self._server = server
        self._kinds = tuple(kinds)
        self._data: list[str] = []
        self._id: int | None = None
        self._tried = 0

    def ask(self) -> Ask[None]:
        """Return the request for what follows the last event."""
        self._data, self._id = [], None
        headers = {"Accept": "text/event-stream"}
        if self.last is not None:
            headers["Last-Event-ID"] = str(self.last)
        query = {"kind": self._kinds}
        return Ask("GET", EVENTS, nothing, query=query, headers=headers, seconds=SILENCE_SECONDS)

    def take(self, line: str) -> Event | None:
        """Take one line of the stream, and return the event that it ends, if it ends one.

        Raises:
            AnswerError: the event is of a form that is not known.
        """
        self._tried = 0
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "data":
                self._data.append(value)
            elif name == "id" and value.isascii() and value.isdigit():
                self._id = int(value)
            return None
        data, self._data = self._data, []
        if self._id is not None:
            self.last = self._id
        if not data:
            return None
        try:
            found = json.loads("\n".join(data))
        except ValueError:
            raise AnswerError("An event is no JSON.", hint="Check what stands before the server.") from None
        event = decode(Event, found, where="event")
        assert isinstance(event, Event)
        return event

    def pause(self, broken: BrokenStreamError | None) -> float:
        """Return the seconds until the next attempt, after the stream ended or broke.

        Raises:
            ApiError, UnreachableError: it was refused for good, or the server is gone for too long.
        """
        if broken is None:
            return self._retry.first  # an hour is over, or the server starts anew
        ask = self.ask()
        wait = self._retry.pause(self._tried, broken.got) if self._retry.again(ask, broken.got) else None
        self._tried += 1
        if wait is None:
            settle(ask, broken.got, self._server)
        return wait or 0.0


class EventCalls(Group):
    """What happens."""

    @call
    def list(self, *, after: int = 0, kinds: Sequence[str] = (), limit: int = 100) -> Ask[EventPage]:
        """Return up to `limit` events that follow the number `after`."""
        query: dict[str, Any] = {"kind": tuple(kinds), "after": after, "limit": limit}
        return Ask("GET", f"{EVENTS}/list", answer(EventPage), query=query)

    def _reader(self, after: int | None, kinds: Sequence[str]) -> EventReader:
        return EventReader(self.retry, self.server, after, kinds)


class Events(EventCalls, SyncGroup):
    """What happens."""

    def listen(self, *, after: int | None = None, kinds: Sequence[str] = ()) -> Iterator[Event]:
        """Yield events as they happen, without end; after a break it goes on where it was.

        Args:
            after: the number of the last event that is known; default those from now on.
            kinds: only these, such as `video.labelled`.
        Raises:
            ApiError, UnreachableError: it was refused, or the server is gone for too long.
        """
        reader = self._reader(after, kinds)
        while True:
            broken: BrokenStreamError | None = None
            try:
                with closing(self._driver.lines(reader.ask())) as lines:  # type: ignore[type-var]
                    for line in lines:
                        if (event := reader.take(line)) is not None:
                            yield event
            except BrokenStreamError as fault:
                broken = fault
            time.sleep(reader.pause(broken))


class AsyncEvents(EventCalls, AsyncGroup):
    """What happens, awaited."""

    async def listen(self, *, after: int | None = None, kinds: Sequence[str] = ()) -> AsyncIterator[Event]:
        """Yield events as they happen, as `Events.listen` does."""
        reader = self._reader(after, kinds)
        while True:
            broken: BrokenStreamError | None = None
            try:
                async with aclosing(self._driver.lines(reader.ask())) as lines:  # type: ignore[type-var]
                    async for line in lines:
                        if (event := reader.take(line)) is not None:
                            yield event
            except BrokenStreamError as fault:
                broken = fault
            await asyncio.sleep(reader.pause(broken))
