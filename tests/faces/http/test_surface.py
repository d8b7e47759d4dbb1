"""What every answer has: headers, problems, limits; and the description of all routes."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest

from tagtower.faces.http.rates import Rates
from tagtower.faces.http.requests import JsonLines


@pytest.mark.parametrize("path", ["/healthz", "/v1/tags", "/nope", "/v1/videos/99", "/metrics"])
def test_every_answer_has_the_headers_of_security(empty, path: str) -> None:
    answer = empty.get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Request-ID"]


@pytest.mark.parametrize(
    ("method", "path", "more", "status"),
    [
        ("GET", "/v1/videos/99", {}, 404),
        ("GET", "/v1/videos/0", {}, 422),
        ("GET", "/v1/videos/99999999999999999999", {}, 422),
        ("GET", "/nope", {}, 404),
        ("PUT", "/v1/tags", {}, 405),
        ("POST", "/v1/tags", {"content": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ("POST", "/v1/tags", {"json": {"text": "a", "colour": "red"}}, 422),
        ("POST", "/v1/tags", {"json": {"text": "a\u0000b"}}, 422),
        ("POST", "/v1/tags", {"content": b'{"text": "\\ud800"}'}, 422),
        ("POST", "/v1/tags", {"content": b"x" * (2 * 1024 * 1024)}, 413),
    ],
)
def test_a_failure_is_a_problem_that_says_what_to_do(empty, method, path, more, status) -> None:
    answer = empty.call("admin", method, path, **more)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body["type"].startswith("urn:tagtower:problem:")
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["request"] == answer.headers["X-Request-ID"]


def test_an_unexpected_failure_tells_nothing_of_the_inside(empty, monkeypatch) -> None:
    from tagtower.faces.http.routes import tags

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(tags.tag_library, "tag_page", broken)
    answer = empty.get("/v1/tags")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "tagtower_server_faults_total 1.0" in empty.get("/metrics").text


def test_a_body_that_lies_about_its_length_is_cut_off(empty) -> None:
    parts = empty.client.app.state.parts
    parts.settings = replace(parts.settings, max_upload_bytes=1000)

    def endless():
        for _ in range(100):
            yield b"x" * 100

    answer = empty.post("/v1/videos", content=endless())
    assert answer.status_code == 413, answer.text
    assert list((empty.installation.home / "uploads").iterdir()) == []


def test_whoever_asks_too_often_is_told_to_wait(empty) -> None:
    parts = empty.client.app.state.parts
    parts.rates = Rates(1.0, 3)
    answers = [empty.get("/v1/tags", "terminal") for _ in range(5)]
    assert [one.status_code for one in answers] == [200, 200, 200, 429, 429]
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert empty.get("/v1/tags", "editor").status_code == 200, "each has his own"


def test_a_bucket_fills_with_time() -> None:
    now = [0.0]
    rates = Rates(2.0, 2, clock=lambda: now[0])
    assert [rates.wait("a") for _ in range(3)] == [0.0, 0.0, 0.5]
    now[0] = 0.5
    assert rates.wait("a") == 0.0


def test_the_log_holds_no_key_no_query_and_no_body(empty, caplog) -> None:
    with caplog.at_level(logging.INFO, "tagtower.http"):
        empty.get("/v1/videos", params={"words": "private"})
        empty.post("/v1/tags", json={"text": "confidential"})
    lines = [JsonLines().format(one) for one in caplog.records if one.name == "tagtower.http"]
    assert [json.loads(one)["route"] for one in lines] == ["/v1/videos", "/v1/tags"]
    assert json.loads(lines[0])["principal"] == "admin"
    text = "".join(lines)
    assert not any(one in text for one in ("private", "confidential", empty.keys["admin"]))


def test_metrics_count_requests_by_route_and_tell_of_the_shelves(filled) -> None:
    filled.get("/v1/videos/1")
    filled.get("/v1/videos/2")
    text = filled.get("/metrics", "terminal").text
    assert 'tagtower_requests_total{method="GET",route="/v1/videos/{video_id}",status="200"} 2.0' in text
    assert 'tagtower_videos{shelf="labelled"} 3.0' in text
    assert "tagtower_worker_videos_labelled_total 3.0" in text


def test_every_route_is_described_and_has_an_example(empty) -> None:
    schema = empty.client.get("/v1/openapi.json").json()
    lacking = []
    for path, methods in schema["paths"].items():
        for method, route in methods.items():
            good = [body for code, body in route["responses"].items() if code.startswith("2")]
            shown = any("example" in kind for body in good for kind in body.get("content", {}).values())
            bodiless = "204" in route["responses"] or method == "head"
            if not route.get("description") or not route.get("summary") or not (shown or bodiless):
                lacking.append(f"{method} {path}")
    assert lacking == []


@pytest.mark.slow
def test_no_request_that_the_description_allows_meets_an_unexpected_failure(filled) -> None:
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, settings

    schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")
    schema = schemathesis.openapi.from_dict(filled.client.get("/v1/openapi.json").json())
    schema = schema.exclude(path="/v1/events")  # it does not end
    bad: list[str] = []
    key = {"Authorization": f"Bearer {filled.keys['admin']}", "Host": "127.0.0.1:8765"}

    def check(case) -> None:
        arguments = case.as_transport_kwargs(base_url="http://127.0.0.1:8765")
        arguments.pop("url")
        headers = {str(name): str(value) for name, value in dict(arguments.pop("headers") or {}).items()}
        answer = filled.client.request(
            arguments.pop("method"),
            case.formatted_path,
            headers={**headers, **key},
            **{name: arguments[name] for name in ("params", "json", "data", "content") if name in arguments},
        )
        if answer.status_code >= 500 and answer.status_code not in (501, 503):
            bad.append(f"{case.method} {case.path}: {answer.text[:500]}")

    for result in schema.get_all_operations():
        operation = result.ok()
        test = operation.as_strategy()
        from hypothesis import given

        run = settings(
            max_examples=10,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )(given(case=test)(lambda case: check(case)))
        run()
    assert bad == []
