"""When a request is tried again, and how long is waited before."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TypeVar

from tagtower.client.failures import failure_of, retry_after, unreachable
from tagtower.client.steps import Ask, Fault, Flow, Pause, Reply

T = TypeVar("T")
BUSY = frozenset({502, 503, 504})
TOO_OFTEN = 429


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a request is tried again (`tries`), and the waits: `first` seconds, twice as long each time, at most
    `longest`.

    A server that says how long to wait is given that time; if it asks for more than `longest`, the failure is raised.
    A request is tried again if doing it twice is the same as once, if it never reached the server, or if the server
    turned it away unread (429).
    """

    tries: int = 4
    first: float = 0.5
    longest: float = 30.0

    def pause(self, tried: int, got: Reply | Fault) -> float | None:
        """Return the seconds before the next attempt after `tried` further ones, None if there is to be none."""
        if tried >= self.tries:
            return None
        asked = retry_after(got) if isinstance(got, Reply) else None
        if asked is not None:
            return asked if asked <= self.longest else None
        return float(min(self.longest, self.first * 2**tried) * random.uniform(0.5, 1.0))

    def again(self, ask: Ask[T], got: Reply | Fault) -> bool:
        """Return whether a request may be tried again after this."""
        if isinstance(got, Fault):
            return ask.may_repeat or not got.sent
        if got.status in ask.answers:
            return False
        return got.status == TOO_OFTEN or got.status in ask.later or (got.status in BUSY and ask.may_repeat)


def exchange(ask: Ask[T], retry: Retry, server: str) -> Flow[T]:
    """Ask until there is an answer, and return what it means.

    Raises:
        ApiError, UnreachableError, AnswerError: see `failures`.
    """
    tried = 0
    while True:
        got = yield ask
        wait = retry.pause(tried, got) if retry.again(ask, got) else None
        if wait is None:
            return settle(ask, got, server)
        tried += 1
        yield Pause(wait)


def settle(ask: Ask[T], got: Reply | Fault, server: str) -> T:
    """Return what the last answer means.

    Raises:
        ApiError, UnreachableError, AnswerError: see `failures`.
    """
    if isinstance(got, Fault):
        raise unreachable(got, server)
    if got.status >= 300 and got.status not in ask.answers:
        raise failure_of(got)
    return ask.read(got)
