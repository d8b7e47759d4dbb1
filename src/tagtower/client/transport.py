"""The only place that talks: drives flows over httpx, blocking or awaiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, TypeVar, final
from urllib.parse import urlsplit

import httpx

from tagtower.client.retrying import Retry
from tagtower.client.steps import Ask, Fault, FilePart, Flow, Pause, Reply, unreadable
from tagtower.errors import UsageError

T = TypeVar("T")
CONNECT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where the server is, the key to it, and how long it may be silent (seconds)."""

    server: str
    key: str | None = field(default=None, repr=False)
    seconds: float = 60.0

    @property
    def url(self) -> str:
        """The address without a slash at its end.

        Raises:
            UsageError: it is no http or https address.
        """
        parts = urlsplit(self.server)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise UsageError(
                f"The server {self.server!r} is no http or https address.",
                hint="Give one such as http://127.0.0.1:8765, without a user or a query.",
            )
        return self.server.rstrip("/")

    def options(self) -> dict[str, Any]:
        """Return what both kinds of httpx clients are made with.

        Raises:
            UsageError: the address or the key cannot be.
        """
        headers = {"User-Agent": f"TagTower-client/{version('tagtower')}", "Accept": "*/*"}
        if self.key is not None:
            if not self.key.isascii() or not self.key.isprintable() or not self.key.strip():
                raise UsageError("The key is none.", hint="Give the text that `tagtower keys` printed.")
            headers["Authorization"] = f"Bearer {self.key.strip()}"
        return {"base_url": self.url, "headers": headers, "timeout": self.seconds}


class BrokenStreamError(Exception):
    """A stream ended before its time, or never began."""

    def __init__(self, got: Reply | Fault) -> None:
        super().__init__()
        self.got = got


@final
class Driver:
    """Drives flows, and waits."""

    def __init__(self, target: Target, retry: Retry, transport: httpx.BaseTransport | None = None) -> None:
        self.server = target.url
        self.retry = retry
        self._target = target
        self._http = httpx.Client(**target.options(), transport=transport)

    def drive(self, flow: Flow[T]) -> T:
        """Do what a flow asks for, and return its result."""
        got: Any = None
        with closing(flow):
            while True:
                try:
                    step = flow.send(got)
                except StopIteration as end:
                    return end.value  # type: ignore[no-any-return]
                got = None
                if isinstance(step, Ask):
                    got = self._once(step)
                elif isinstance(step, Pause):
                    time.sleep(step.seconds)
                else:
                    got = step.do()

    def lines(self, ask: Ask[Any]) -> Iterator[str]:
        """Yield the lines of an answer that does not end.

        Raises:
            BrokenStreamError: it broke off, or was refused.
        """
        try:
            with self._http.stream(**_wire(ask, self._target), content=None) as response:
                if response.status_code != 200:
                    raise BrokenStreamError(Reply(response.status_code, _headers(response), response.read()))
                yield from response.iter_lines()
        except httpx.TransportError as fault:
            raise BrokenStreamError(_fault(fault)) from fault

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _once(self, ask: Ask[Any]) -> Reply | Fault:
        content = ask.body.blocks() if isinstance(ask.body, FilePart) else ask.body
        try:
            with self._http.stream(**_wire(ask, self._target), content=content) as response:
                if ask.sink is None or response.status_code >= 300:
                    return Reply(response.status_code, _headers(response), response.read())
                try:
                    with ask.sink.open(response.status_code) as file:
                        for block in response.iter_bytes():
                            file.write(block)
                            if ask.sink.told is not None:
                                ask.sink.told(file.tell())
                except OSError as error:
                    raise unreadable(ask.sink.path, error) from error
                return Reply(response.status_code, _headers(response))
        except httpx.TransportError as fault:
            return _fault(fault)


@final
class AsyncDriver:
    """Drives flows, and lets others go on while it waits."""

    def __init__(
        self, target: Target, retry: Retry, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.server = target.url
        self.retry = retry
        self._target = target
        self._http = httpx.AsyncClient(**target.options(), transport=transport)

    async def drive(self, flow: Flow[T]) -> T:
        """Do what a flow asks for, and return its result."""
        got: Any = None
        with closing(flow):
            while True:
                try:
                    step = flow.send(got)
                except StopIteration as end:
                    return end.value  # type: ignore[no-any-return]
                got = None
                if isinstance(step, Ask):
                    got = await self._once(step)
                elif isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                else:
                    got = await asyncio.to_thread(step.do)

    async def lines(self, ask: Ask[Any]) -> AsyncIterator[str]:
        """Yield the lines of an answer that does not end.

        Raises:
            BrokenStreamError: it broke off, or was refused.
        """
        try:
            async with self._http.stream(**_wire(ask, self._target), content=None) as response:
                if response.status_code != 200:
                    raise BrokenStreamError(
                        Reply(response.status_code, _headers(response), await response.aread())
                    )
                async for line in response.aiter_lines():
                    yield line
        except httpx.TransportError as fault:
            raise BrokenStreamError(_fault(fault)) from fault

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _once(self, ask: Ask[Any]) -> Reply | Fault:
        content = _apart(ask.body.blocks()) if isinstance(ask.body, FilePart) else ask.body
        try:
            async with self._http.stream(**_wire(ask, self._target), content=content) as response:
                if ask.sink is None or response.status_code >= 300:
                    return Reply(response.status_code, _headers(response), await response.aread())
                try:
                    with ask.sink.open(response.status_code) as file:
                        async for block in response.aiter_bytes():
                            await asyncio.to_thread(file.write, block)
                            if ask.sink.told is not None:
                                ask.sink.told(file.tell())
                except OSError as error:
                    raise unreadable(ask.sink.path, error) from error
                return Reply(response.status_code, _headers(response))
        except httpx.TransportError as fault:
            return _fault(fault)


async def _apart(blocks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Read a file beside the loop."""
    while (block := await asyncio.to_thread(next, blocks, b"")) != b"":
        yield block


def _wire(ask: Ask[Any], target: Target) -> dict[str, Any]:
    """Return a request as httpx takes it, without its content."""
    headers = dict(ask.headers)
    if isinstance(ask.body, FilePart):
        headers["Content-Length"] = str(ask.body.length)
    if ask.sink is not None:
        headers["Accept-Encoding"] = "identity"
    wire: dict[str, Any] = {
        "method": ask.method,
        "url": ask.target.lstrip("/"),
        "params": ask.pairs,
        "headers": headers,
        "timeout": httpx.Timeout(
            target.seconds, read=ask.seconds or target.seconds, connect=min(CONNECT_SECONDS, target.seconds)
        ),
    }
    return wire if ask.json is None else {**wire, "json": dict(ask.json)}


def _headers(response: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _fault(error: httpx.TransportError) -> Fault:
    never_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    named = "it took too long" if isinstance(error, httpx.TimeoutException) else type(error).__name__
    return Fault(str(error).rstrip(".") or named, not never_sent)
