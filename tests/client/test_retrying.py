"""When a request is tried again, how long is waited, and what a refusal becomes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tagtower.client.decoding import nothing
from tagtower.client.failures import (
    AccessError,
    ApiConflictError,
    ApiError,
    ApiInputError,
    ApiNotFoundError,
    BusyError,
    UnreachableError,
    failure_of,
)
from tagtower.client.retrying import Retry, exchange
from tagtower.client.steps import Ask, Fault, Pause, Reply

GONE, NEVER_SENT = Fault("gone", sent=True), Fault("refused", sent=False)
GET: Ask[None] = Ask("GET", "/", nothing)
POST: Ask[None] = Ask("POST", "/", nothing)
KEYED: Ask[None] = Ask("POST", "/", nothing, headers={"Idempotency-Key": "k"})


@pytest.mark.parametrize(
    ("ask", "got", "again"),
    [
        (GET, GONE, True),
        (POST, GONE, False),
        (POST, NEVER_SENT, True),
        (KEYED, GONE, True),
        (POST, Reply(429), True),
        (POST, Reply(503), False),
        (KEYED, Reply(503), True),
        (GET, Reply(502), True),
        (GET, Reply(500), False),
        (GET, Reply(404), False),
        (GET, Reply(200), False),
        (Ask("GET", "/", nothing, answers=frozenset({503})), Reply(503), False),
        (Ask("POST", "/", nothing, later=frozenset({409})), Reply(409), True),
    ],
)
def test_only_what_may_be_done_twice_is_tried_again(ask: Ask[None], got: Any, again: bool) -> None:
    assert Retry().again(ask, got) == again


def test_waits_double_up_to_a_ceiling_and_end() -> None:
    retry = Retry(tries=5, first=1.0, longest=4.0)
    waits = [retry.pause(tried, GONE) for tried in range(6)]
    assert waits[-1] is None
    for wait, most in zip(waits, (1.0, 2.0, 4.0, 4.0, 4.0), strict=False):
        assert wait is not None
        assert most / 2 <= wait <= most


@pytest.mark.parametrize(("header", "wait"), [("2", 2.0), ("0", 0.0), ("3600", None)])
def test_a_server_that_says_how_long_is_given_that_time_or_given_up(header: str, wait: float | None) -> None:
    assert Retry(longest=30.0).pause(0, Reply(503, {"retry-after": header})) == wait


def test_a_date_for_the_next_attempt_is_waited_for_as_without_one() -> None:
    wait = Retry(first=1.0).pause(0, Reply(503, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}))
    assert wait is not None
    assert 0.5 <= wait <= 1.0


def test_an_exchange_waits_between_attempts_and_ends_with_the_last_failure() -> None:
    flow = exchange(GET, Retry(tries=1), "http://tags.example")
    assert flow.send(None) is GET
    assert isinstance(flow.send(GONE), Pause)
    assert flow.send(None) is GET
    with pytest.raises(UnreachableError, match=r"http://tags\.example gives no answer: gone"):
        flow.send(GONE)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ApiInputError), (401, AccessError), (403, AccessError), (404, ApiNotFoundError), (409, ApiConflictError),
        (412, ApiConflictError), (413, ApiInputError), (422, ApiInputError), (429, BusyError), (503, BusyError),
        (507, BusyError), (500, ApiError), (418, ApiError), (302, ApiError),
    ],
)  # fmt: skip
def test_a_problem_becomes_what_it_means(status: int, kind: type[ApiError]) -> None:
    problem = {
        "type": "urn:tagtower:problem:some",
        "detail": "It is so.",
        "hint": "Do that.",
        "request": "r1",
    }
    found = failure_of(Reply(status, {}, json.dumps(problem).encode()))
    assert type(found) is kind
    assert (found.message, found.hint, found.status, found.kind, found.request) == (
        "It is so.",
        "Do that.",
        status,
        "some",
        "r1",
    )


@pytest.mark.parametrize("body", [b"", b"<html>Bad Gateway</html>", b"[1]", b'{"detail": 3}', b"\xff\xfe"])
def test_a_page_of_a_proxy_is_a_failure_with_a_hint(body: bytes) -> None:
    found = failure_of(Reply(502, {"x-request-id": "p1"}, body))
    assert (found.message, found.request) == ("The server answered with 502.", "p1")
    assert "proxy" in (found.hint or "")
