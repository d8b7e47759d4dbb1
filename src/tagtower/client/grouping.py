"""Calls that are written once, and are there twice: on a group of the blocking client they return their result, on one
of the awaiting client something to be awaited.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import (
    Any,
    Concatenate,
    Generic,
    ParamSpec,
    Protocol,
    TypeVar,
    final,
    overload,
    runtime_checkable,
)

from tagtower.client.retrying import Retry, exchange
from tagtower.client.steps import Ask, Flow
from tagtower.client.transport import AsyncDriver, Driver

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item", covariant=True)


class Group:
    """Some of the calls of a client."""

    def __init__(self, driver: Driver | AsyncDriver) -> None:
        self._driver = driver

    def ask(self, one: Ask[T]) -> Flow[T]:
        """Return the flow of one request, with its further attempts."""
        return exchange(one, self.retry, self.server)

    @property
    def retry(self) -> Retry:
        """When a request is tried again."""
        return self._driver.retry

    @property
    def server(self) -> str:
        """The address of the server."""
        return self._driver.server


class SyncGroup(Group):
    """Calls that return when they are done."""

    _driver: Driver


class AsyncGroup(Group):
    """Calls that are awaited."""

    _driver: AsyncDriver


@runtime_checkable
class PageOf(Protocol[Item]):
    """A page of a list; `next` is the cursor of the page that follows, None at the end."""

    @property
    def items(self) -> Sequence[Item]:
        """What is on it."""
        ...

    @property
    def next(self) -> str | int | None:
        """Where the list goes on."""
        ...


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A list, page by page; `cursor` is the parameter that says where a page begins."""

    first: Ask[PageOf[T]]
    cursor: str = "cursor"

    def after(self, page: PageOf[T]) -> Ask[PageOf[T]] | None:
        """Return the request for the page that follows, None at the end."""
        if page.next is None:
            return None
        return replace(self.first, query={**self.first.query, self.cursor: page.next})


@final
class flow(Generic[P, T]):  # noqa: N801 - a decorator
    """A call that takes several requests; `request` builds the only one of those that take one."""

    def __init__(
        self,
        build: Callable[Concatenate[Any, P], Flow[T]],
        request: Callable[Concatenate[Any, P], Ask[T]] | None = None,
    ) -> None:
        self.build = build
        self.request = request
        self.described = build if request is None else request
        self.__doc__ = self.described.__doc__

    @overload
    def __get__(self, group: None, kind: type) -> flow[P, T]: ...
    @overload
    def __get__(self, group: SyncGroup, kind: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, group: AsyncGroup, kind: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, group: Group | None, kind: type) -> Any:
        if group is None:
            return self

        @wraps(self.described)
        def bound(*arguments: P.args, **named: P.kwargs) -> Any:
            return group._driver.drive(self.build(group, *arguments, **named))

        return bound


def call(request: Callable[Concatenate[Any, P], Ask[T]]) -> flow[P, T]:
    """Return a call that is one request."""

    def build(group: Any, /, *arguments: P.args, **named: P.kwargs) -> Flow[T]:
        return exchange(request(group, *arguments, **named), group.retry, group.server)

    return flow(build, request)


@final
class listing(Generic[P, T]):  # noqa: N801 - a decorator
    """A call that yields what is on all pages of a list, asking for each when it is reached."""

    def __init__(self, build: Callable[Concatenate[Any, P], Listing[T]]) -> None:
        self.build = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, group: None, kind: type) -> listing[P, T]: ...
    @overload
    def __get__(self, group: SyncGroup, kind: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, group: AsyncGroup, kind: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, group: Group | None, kind: type) -> Any:
        if group is None:
            return self
        each = _each if isinstance(group, SyncGroup) else _each_async

        @wraps(self.build)
        def bound(*arguments: P.args, **named: P.kwargs) -> Any:
            return each(group, self.build(group, *arguments, **named))

        return bound


def _each(group: Any, listed: Listing[T]) -> Iterator[T]:
    ask: Ask[PageOf[T]] | None = listed.first
    while ask is not None:
        page: PageOf[T] = group._driver.drive(group.ask(ask))
        yield from page.items
        ask = listed.after(page)


async def _each_async(group: Any, listed: Listing[T]) -> AsyncIterator[T]:
    ask: Ask[PageOf[T]] | None = listed.first
    while ask is not None:
        page: PageOf[T] = await group._driver.drive(group.ask(ask))
        for one in page.items:
            yield one
        ask = listed.after(page)
