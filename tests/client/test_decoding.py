"""Answers are read by names and types; what is not known is passed over, what is wrong is named."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from tagtower.client.decoding import HEADER, answer, several
from tagtower.client.failures import AnswerError
from tagtower.client.steps import Reply


@dataclass(frozen=True, kw_only=True)
class Part:
    name: str
    share: float | None = None


@dataclass(frozen=True, kw_only=True)
class Whole:
    id: int
    at: datetime
    good: bool
    parts: tuple[Part, ...]
    counts: dict[str, int]
    more: Any = None
    etag: str | None = field(default=None, metadata={HEADER: "etag"})


GOOD: dict[str, Any] = {
    "id": 1,
    "at": "2030-01-01T12:00:00+00:00",
    "good": True,
    "parts": [{"name": "a", "share": 1}, {"name": "b", "share": None}],
    "counts": {"x": 2},
}


def reply(value: Any, **headers: str) -> Reply:
    return Reply(200, headers, json.dumps(value).encode())


def test_an_answer_becomes_what_it_says() -> None:
    found = answer(Whole)(reply({**GOOD, "unknown": 1, "more": [1]}, etag='"v1"'))
    assert found == Whole(
        id=1,
        at=datetime(2030, 1, 1, 12, tzinfo=UTC),
        good=True,
        parts=(Part(name="a", share=1.0), Part(name="b")),
        counts={"x": 2},
        more=[1],
        etag='"v1"',
    )
    assert isinstance(found.parts[0].share, float)
    assert several(Part, "parts")(reply(GOOD)) == found.parts


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"id": "1"}, "id"),
        ({"id": True}, "id"),
        ({"id": None}, "id"),
        ({"at": "noon"}, "at"),
        ({"at": 7}, "at"),
        ({"good": 1}, "good"),
        ({"parts": {}}, "parts"),
        ({"parts": [{"name": "a"}, {}]}, r"parts\[1\]\.name"),
        ({"parts": [3]}, r"parts\[0\]"),
        ({"counts": {"x": "2"}}, r"counts\.x"),
        ({"counts": []}, "counts"),
    ],
)
def test_what_is_of_another_form_is_named(changed: dict[str, Any], named: str) -> None:
    with pytest.raises(AnswerError, match=f"In the answer {named} "):
        answer(Whole)(reply({**GOOD, **changed}))


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"\xff"])
def test_what_is_no_answer_at_all_is_told(body: bytes) -> None:
    with pytest.raises(AnswerError):
        answer(Whole)(Reply(200, {}, body))
