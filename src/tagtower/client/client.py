"""The clients: one that blocks, one that is awaited, with the same calls."""

from __future__ import annotations

import os
from types import TracebackType
from typing import final

import httpx

from tagtower.client.calls.events import AsyncEvents, Events
from tagtower.client.calls.operation import (
    AsyncFeeds,
    AsyncModels,
    AsyncRecommend,
    AsyncState,
    AsyncWebhooks,
    Feeds,
    Models,
    Recommend,
    State,
    Webhooks,
)
from tagtower.client.calls.tags import AsyncTags, Tags
from tagtower.client.calls.uploads import AsyncUploads, Uploads
from tagtower.client.calls.videos import AsyncVideos, Videos
from tagtower.client.retrying import Retry
from tagtower.client.transport import AsyncDriver, Driver, Target

SERVER_VARIABLE, KEY_VARIABLE = "TAGTOWER_SERVER", "TAGTOWER_KEY"
LOCAL = "http://127.0.0.1:8765"


@final
class Client:
    """A client of a TagTower server, to be closed, or used in a `with` block; threads may share it.

    with Client("https://tags.example", key="tt_...") as client:
        video = client.videos.send("clip.mp4", title="Match day 12")
        print([tag.tag for tag in client.videos.wait(video.id).tags])

    Args:
        server: its address; default $TAGTOWER_SERVER, or else this machine's.
        key: default $TAGTOWER_KEY, or else none.
        seconds: how long the server may be silent before a call fails.
        retry: how often calls are tried again.
        transport: how httpx reaches the server; default by the network.
    Raises:
        UsageError: the address or the key cannot be.
    """

    def __init__(
        self,
        server: str | None = None,
        key: str | None = None,
        *,
        seconds: float = 60.0,
        retry: Retry | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._driver = driver = Driver(_target(server, key, seconds), retry or Retry(), transport)
        self.videos = Videos(driver)
        self.uploads = Uploads(driver)
        self.tags = Tags(driver)
        self.recommend = Recommend(driver)
        self.models = Models(driver)
        self.events = Events(driver)
        self.webhooks = Webhooks(driver)
        self.feeds = Feeds(driver)
        self.state = State(driver)

    @property
    def server(self) -> str:
        """The address of the server."""
        return self._driver.server

    def close(self) -> None:
        """Close the connections."""
        self._driver.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@final
class AsyncClient:
    """The same, awaited: `async with AsyncClient() as client: await client.videos.get(12)`; lists and events are read
    with `async for`. The arguments are those of `Client`.
    """

    def __init__(
        self,
        server: str | None = None,
        key: str | None = None,
        *,
        seconds: float = 60.0,
        retry: Retry | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._driver = driver = AsyncDriver(_target(server, key, seconds), retry or Retry(), transport)
        self.videos = AsyncVideos(driver)
        self.uploads = AsyncUploads(driver)
        self.tags = AsyncTags(driver)
        self.recommend = AsyncRecommend(driver)
        self.models = AsyncModels(driver)
        self.events = AsyncEvents(driver)
        self.webhooks = AsyncWebhooks(driver)
        self.feeds = AsyncFeeds(driver)
        self.state = AsyncState(driver)

    @property
    def server(self) -> str:
        """The address of the server."""
        return self._driver.server

    async def close(self) -> None:
        """Close the connections."""
        await self._driver.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _target(server: str | None, key: str | None, seconds: float) -> Target:
    found = server or os.environ.get(SERVER_VARIABLE) or LOCAL
    return Target(found, key or os.environ.get(KEY_VARIABLE) or None, seconds)
