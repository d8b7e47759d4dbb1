"""The client against the description of the API: every operation has a call, sends what may be sent, and reads what is
answered."""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from tagtower.client.calls import events, operation, tag_changes, tags, uploads, videos
from tagtower.client.calls.sending import MEDIA
from tagtower.client.decoding import HEADER, Reader
from tagtower.client.grouping import flow, listing
from tagtower.client.retrying import Retry
from tagtower.client.steps import Ask, FilePart, Reply
from tagtower.faces.http.app import create_app
from tagtower.usecases.installation.home import open_installation

LEFT_OUT = {
    ("GET", "/metrics"): "for Prometheus, in its own format",
    ("GET", "/v1/tags/{tag_id}/feed.atom"): "for readers of feeds",
    ("GET", "/v1/tags/{tag_id}/feed.json"): "for readers of feeds",
}
ELSEWHERE = {
    ("HEAD", MEDIA): "asked by VideoCalls.download, among others",
    ("GET", MEDIA): "asked by VideoCalls.download, among others",
    ("GET", "/v1/events"): "a stream: Events.listen",
}
SOMETIMES = {"VideoTag.evidence", "RecommendedTag.evidence"}
"""What an answer has only where it is asked for."""

GROUPS = (
    *(videos.VideoCalls, uploads.UploadCalls, tags.TagCalls, tag_changes.TagChangeCalls, events.EventCalls),
    *(operation.RecommendCalls, operation.ModelCalls, operation.FeedCalls),
    *(operation.WebhookCalls, operation.StateCalls),
)
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
BY_TYPE: dict[Any, Any] = {str: "text", int: 7, float: 0.5, bool: True, bytes: b"x", datetime: NOON}
BY_NAME: dict[str, Any] = {
    "path": __file__,
    "verdicts": [("solar eclipse", "accept")],
    "TagChangeCalls.bar videos": [1, 2],
    "RecommendCalls.batch videos": [{"title": "text"}],
    "upload_id": "0" * 32,
}


def sample(call: str, name: str, kind: Any) -> Any:
    """An argument for a parameter."""
    for known in (f"{call} {name}", name):
        if known in BY_NAME:
            return BY_NAME[known]
    choices = [one for one in get_args(kind) if one is not type(None)]
    if get_origin(kind) is Literal:
        return choices[-1]
    if get_origin(kind) in (UnionType, typing.Union):
        return sample(call, name, choices[0])
    return BY_TYPE.get(kind, ["text"])


def requests() -> Iterator[tuple[str, Ask[Any]]]:
    """The request of every call that is one request or a list, with every argument given."""
    for group in GROUPS:
        for name, one in vars(group).items():
            build = getattr(one, "build" if isinstance(one, listing) else "request", None)
            if not isinstance(one, flow | listing) or build is None:
                continue
            call = f"{group.__name__}.{name}"
            hints = get_type_hints(build)
            names = [each for each in inspect.signature(build).parameters if each != "self"]
            made = build(None, **{each: sample(call, each, hints[each]) for each in names})
            yield call, made if isinstance(made, Ask) else made.first


ASKS = dict(requests())


@pytest.fixture(scope="module")
def described(empty_home) -> dict[tuple[str, str], Any]:
    """Every operation that the description of the API has."""
    with open_installation(empty_home, environment={}) as installation:
        app = create_app(installation)
        document = app.openapi()
        app.state.parts.close()
    return {
        (method.upper(), path): {**operation, "all": document}
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_every_operation_has_a_call_or_a_reason(described) -> None:
    called = {(ask.method, ask.path) for ask in ASKS.values()}
    assert called | LEFT_OUT.keys() | ELSEWHERE.keys() == described.keys()
    assert not called & (LEFT_OUT.keys() | ELSEWHERE.keys())


def test_a_stream_asks_for_what_is_described(described) -> None:
    ask = events.EventReader(Retry(), "", 7, ("video.labelled",)).ask()
    assert set(ask.query) <= {one["name"] for one in described[ask.method, ask.path]["parameters"]}


@pytest.mark.parametrize("call", ASKS)
def test_a_call_sends_only_what_may_be_sent(call: str, described) -> None:
    ask = ASKS[call]
    operation = described[ask.method, ask.path]
    parameters = {(one["in"], one["name"]): one for one in operation.get("parameters", ())}
    assert {name for place, name in parameters if place == "path"} == set(ask.parts)
    for name, value in ask.query.items():
        _check(value, parameters["query", name]["schema"], operation["all"], name)
    taken = {name for place, name in parameters if place == "header"} | {"Content-Type"}
    assert set(ask.headers) <= taken
    content = operation.get("requestBody", {}).get("content", {})
    if ask.json is not None:
        _check(
            json.loads(json.dumps(ask.json)), content["application/json"]["schema"], operation["all"], call
        )
    elif operation.get("requestBody", {}).get("required"):
        assert isinstance(ask.body, bytes | FilePart)
        assert ask.headers["Content-Type"] in content


@pytest.mark.parametrize("call", ASKS)
def test_a_call_reads_what_is_answered(call: str, described) -> None:
    ask = ASKS[call]
    good = {code: one for code, one in described[ask.method, ask.path]["responses"].items() if code[0] == "2"}
    ((code, answer),) = good.items()
    example = deepcopy(answer.get("content", {}).get("application/json", {}).get("example"))
    lacking: set[str] = set()
    if isinstance(ask.read, Reader):
        part = example if ask.read.name is None else example[ask.read.name]
        for one in part if ask.read.many else [part]:
            lacking |= set(_complete(one, ask.read.kind))
    assert lacking - SOMETIMES == set()
    headers = {"upload-offset": "7", "etag": '"v17"'}
    ask.read(Reply(int(code), headers, json.dumps(example).encode()))


def _complete(raw: Any, kind: Any) -> Iterator[str]:
    """Yield the fields of a dataclass that an example does not have; where None may stand, let it: the description
    leaves such fields out."""
    choices = [one for one in get_args(kind) if one is not type(None)]
    if get_origin(kind) in (UnionType, typing.Union):
        yield from () if raw is None else _complete(raw, choices[0])
    elif get_origin(kind) is tuple:
        for one in raw:
            yield from _complete(one, choices[0])
    elif is_dataclass(kind):
        hints = get_type_hints(kind)
        for one in fields(kind):
            if one.name in raw:
                yield from _complete(raw[one.name], hints[one.name])
            elif type(None) in get_args(hints[one.name]):
                raw[one.name] = None
            elif HEADER not in one.metadata:
                yield f"{kind.__name__}.{one.name}"


def _check(value: Any, schema: dict[str, Any], document: dict[str, Any], where: str) -> None:
    """Fail where a value is not one that a schema describes; as much of JSON Schema as the description uses."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        kinds = [one for one in schema["anyOf"] if one.get("type") != "null"]
        if len(kinds) == 1 and value is not None:
            _check(value, kinds[0], document, where)
        return
    if "enum" in schema:
        assert value in schema["enum"], where
    if schema.get("type") == "object":
        assert set(value) <= schema["properties"].keys(), where
        assert set(value) >= set(schema.get("required", ())), where
        for name, one in value.items():
            _check(one, schema["properties"][name], document, f"{where}.{name}")
    elif schema.get("type") == "array":
        assert isinstance(value, list | tuple), where
        for one in value:
            _check(one, schema["items"], document, where)
    elif "type" in schema:
        kinds = {"string": str | datetime, "integer": int, "number": int | float, "boolean": bool}
        assert isinstance(value, kinds[schema["type"]]), where
