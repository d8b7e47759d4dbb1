"""The log of the server: a line for each entry, as JSON or as text, with the request that it belongs to."""

from __future__ import annotations

import json
import logging

import pytest

from tagtower.faces.http.requests import JsonLines, TextLines
from tagtower.faces.http.run import start_log


def entries(served, caplog, form: logging.Formatter) -> list[str]:
    with caplog.at_level(logging.INFO, "tagtower.http"):
        served.get("/v1/tags", headers={"X-Request-ID": "abc-1"})
        served.get("/nowhere", None, headers={"X-Request-ID": "abc-2"})
    return [form.format(one) for one in caplog.records if one.name == "tagtower.http"]


def test_a_line_of_json_names_request_route_status_and_who_asked(shared, caplog) -> None:
    first, second = map(json.loads, entries(shared, caplog, JsonLines()))
    assert (first["request"], first["route"], first["status"], first["principal"]) == (
        "abc-1",
        "/v1/tags",
        200,
        "admin",
    )
    assert first["seconds"] >= 0
    assert (second["request"], second["status"], second["principal"]) == ("abc-2", 404, None)


def test_a_line_of_text_holds_the_same(shared, caplog) -> None:
    first, _ = entries(shared, caplog, TextLines())
    for part in (' info tagtower.http: request request="abc-1"', 'route="/v1/tags"', "status=200"):
        assert part in first
    assert "\n" not in first


@pytest.mark.parametrize(("form", "kind"), [("json", JsonLines), ("text", TextLines)])
def test_the_form_of_the_log_is_chosen(form, kind) -> None:
    root = logging.getLogger()
    names = ("tagtower.http", "uvicorn.error")
    before = root.handlers[:], root.level, [logging.getLogger(name).level for name in names]
    try:
        start_log(form)
        assert type(root.handlers[0].formatter) is kind
    finally:
        root.handlers[:], level = before[0], before[1]
        root.setLevel(level)
        for name, own in zip(names, before[2], strict=True):
            logging.getLogger(name).setLevel(own)


def test_a_failure_is_told_with_its_trace_and_its_request() -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        import sys

        record = logging.LogRecord("tagtower.http", logging.ERROR, "", 0, "failed", (), sys.exc_info())
    record.facts = {"request": "abc-3"}
    told = json.loads(JsonLines().format(record))
    assert (told["request"], told["level"]) == ("abc-3", "error")
    assert "ValueError: broken" in told["trace"]
    text = TextLines().format(record)
    assert 'request="abc-3"' in text.splitlines()[0]
    assert "ValueError: broken" in text
