"""Requests that are made to do harm: bodies without end, ranges, paths, replays, and what the log must not hold."""

from __future__ import annotations

import ast
import inspect
import json
import logging
from dataclasses import replace

import pytest

from tagtower.faces.http import auth, sessions
from tagtower.faces.http.requests import JsonLines, body_limit
from tagtower.faces.http.routes.media import parse_range
from tagtower.faces.http.settings import ServerSettings
from tagtower.library import keys as library_keys
from tagtower.usecases.installation.webhooks import signature


@pytest.fixture(scope="module")
def played(shared, job):
    """A video of the shared server that can be played: its address and its bytes."""
    data = job.clips["blue-high"].read_bytes()
    made = shared.post("/v1/videos", content=data, params={"filename": "x.mp4"})
    assert made.status_code == 201, made.text
    return made.headers["Location"] + "/media", data


def chunked(total: int, size: int = 100_000):
    for _ in range(0, total, size):
        yield b"x" * size


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "path", ["/v1/tags", "/v1/webhooks", "/v1/videos/1/verdicts", "/sign-in", "/nowhere"]
)
def test_a_body_that_is_announced_too_large_is_not_read_whoever_sends_it(shared, method, path) -> None:
    headers = {"Content-Length": str(2**40)}
    answer = shared.call(None, method, path, headers=headers, content=b"x")
    assert answer.status_code == 413
    assert answer.headers["Connection"] == "close"


@pytest.mark.parametrize("path", ["/v1/tags", "/v1/recommend", "/v1/feeds"])
def test_a_body_that_is_not_announced_is_cut_off(shared, path) -> None:
    headers = {"Content-Type": "application/json"}
    answer = shared.post(path, content=chunked(3_000_000), headers=headers)
    assert answer.status_code == 413, answer.text


@pytest.mark.parametrize("length", ["-1", "+5", "1e3", "0x10", "٣", "5, 5", " "])
def test_a_length_that_is_no_number_is_refused(shared, length) -> None:
    headers = [(b"content-length", length.encode())]
    assert shared.call("admin", "POST", "/v1/tags", headers=headers).status_code == 400


def test_no_route_but_those_for_files_takes_much() -> None:
    settings = ServerSettings()
    for path in ("/v1/videos", f"/v1/videos/uploads/{'a' * 32}", "/v1/recommend/file"):
        assert body_limit(path, "POST", settings) == settings.max_upload_bytes
        assert body_limit(path, "GET", settings) == settings.max_body_bytes
    for path in ("/v1/videos/", "/v1/videos/1", "/v1/videos/uploads/a/complete", "/v1/videos/uploads/a/b"):
        assert body_limit(path, "POST", settings) == settings.max_body_bytes


@pytest.mark.parametrize(
    "wanted",
    ["bytes=0-0,2-3", "bytes=0-10,5-15", "bytes=" + "0-," * 500, "bytes=5-2", "bytes=-", "bytes=a-b", "bytes=--1",
     "items=0-1", "bytes 0-1", "bytes=0-1;q=1", "bytes=" + "9" * 30 + "-", "bytes=1.5-2", "bytes=０-１"],
)  # fmt: skip
def test_a_range_that_is_none_or_several_is_ignored_and_the_whole_is_sent_once(
    shared, played, wanted
) -> None:
    path, data = played
    answer = shared.get(path, headers={"Range": wanted.encode()})
    assert answer.status_code == 200
    assert answer.content == data
    assert "Content-Range" not in answer.headers


@pytest.mark.parametrize("wanted", ["bytes={n}-", "bytes={n}-{n}", "bytes=-0", "bytes=999999999999999999-"])
def test_a_range_behind_the_end_is_refused_with_the_size(shared, played, wanted) -> None:
    path, data = played
    answer = shared.get(path, headers={"Range": wanted.format(n=len(data))})
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(data)}"


def test_a_range_that_reaches_beyond_the_end_ends_there(shared, played) -> None:
    path, data = played
    answer = shared.get(path, headers={"Range": f"bytes=-{10**17}"})
    assert (answer.status_code, answer.content) == (206, data)
    assert parse_range("bytes=3-999", 10) == (3, 10)


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2f..%2fapp.py",
        "/static/%2fetc%2fpasswd",
        "/static/....//app.py",
        "/static/style.css%00.js",
        "/v1/videos/../../etc/passwd",
        "/v1/videos/%2e%2e%2f%2e%2e%2fetc%2fpasswd/media",
        "/v1/videos/1%00/media",
        "/v1/videos/1%2f..%2f2/media",
        "/v1/videos/uploads/%00" + "a" * 31,
        "/v1/tags/..%2f1/feed.atom",
        "//etc/passwd",
        "/..%5c..%5cwindows",
    ],
)
def test_no_path_leads_to_a_file(shared, path) -> None:
    answer = shared.get(path, follow_redirects=False)
    assert answer.status_code in (404, 422, 303), (path, answer.status_code)
    assert b"root:" not in answer.content
    assert b"import" not in answer.content


def test_the_same_key_with_another_body_is_refused_wherever_a_key_is_taken(shared) -> None:
    same_length = [
        ("/v1/videos", {"title": "a walk", "name": "one"}, {"title": "a song", "name": "two"}),
        ("/v1/tags", {"text": "one"}, {"text": "two"}),
        ("/v1/webhooks", {"url": "https://a.example/x"}, {"url": "https://b.example/x"}),
        ("/v1/feeds", {"url": "https://a.example/x"}, {"url": "https://b.example/x"}),
        ("/v1/videos/uploads", {"length": 10}, {"length": 20}),
    ]
    for number, (path, first, other) in enumerate(same_length):
        key = {"Idempotency-Key": f"replay-{number}"}
        made = shared.post(path, json=first, headers=key)
        assert made.status_code == 201, (path, made.text)
        replayed = shared.post(path, json=first, headers=key)
        assert replayed.headers["Idempotency-Replayed"] == "true", path
        assert shared.post(path, json=other, headers=key).status_code == 422, path


@pytest.mark.parametrize("key", ["", "x" * 201, "a\tb", "clé".encode()])
def test_an_idempotency_key_that_cannot_be_kept_is_refused(shared, key) -> None:
    answer = shared.post("/v1/tags", json={"text": "with a key"}, headers={"Idempotency-Key": key})
    assert answer.status_code == 422


def test_a_signature_covers_the_moment_and_every_byte() -> None:
    good = signature("secret", 1_700_000_000, b'{"a": 1}')
    assert good == signature("secret", 1_700_000_000, b'{"a": 1}')
    for other in (
        signature("secret", 1_700_000_001, b'{"a": 1}'),
        signature("secret", 1_700_000_000, b'{"a": 2}'),
        signature("other", 1_700_000_000, b'{"a": 1}'),
        signature("secret", 170_000_000, b'0.{"a": 1}'),
    ):
        assert other != good


def test_neither_keys_nor_cookies_nor_secrets_are_logged_even_where_a_request_fails(
    shared, caplog, monkeypatch
) -> None:
    from tagtower.faces.http.routes import tags

    secrets = [
        "tt_wrong-key",
        "cookie-text",
        "in-the-query",
        "in-the-body",
        "in-a-header",
        shared.keys["admin"],
    ]
    monkeypatch.setattr(tags.tag_library, "tag_page", lambda *_, **__: 1 / 0)
    with caplog.at_level(logging.DEBUG):
        made = shared.post("/v1/webhooks", json={"url": "https://hook.example/in-the-body"})
        secrets.append(made.json()["secret"])
        shared.get("/v1/tags", params={"q": "in-the-query"}, headers={"X-Other": "in-a-header"})
        shared.get("/v1/tags", None, headers={"Authorization": "Bearer tt_wrong-key"})
        shared.get("/v1/tags", None, headers={"Cookie": f"{sessions.COOKIE}=cookie-text"})
        shared.post("/sign-in", None, data={"key": "tt_wrong-key"})
        shared.post(
            "/v1/tags", content=b'{"text": "in-the-body"', headers={"Content-Type": "application/json"}
        )
    lines = [
        JsonLines().format(one) for one in caplog.records if one.name.startswith(("tagtower", "uvicorn"))
    ]
    assert len(lines) >= 6
    assert any("ZeroDivisionError" in one for one in lines), "the failure itself is told"
    for secret in secrets:
        assert not [one for one in lines if secret in one], secret
    assert all(json.loads(one)["level"] for one in lines)


def test_a_request_id_that_could_forge_the_log_is_replaced(shared) -> None:
    for given in ('x"} {"level":"error', "a b", "x" * 65, "é".encode()):
        answer = shared.get("/healthz", headers={"X-Request-ID": given})
        assert answer.headers["X-Request-ID"] != given
    assert shared.get("/healthz", headers={"X-Request-ID": "mine-7"}).headers["X-Request-ID"] == "mine-7"


@pytest.mark.parametrize(
    ("module", "function"),
    [(library_keys, "find_key"), (sessions, "read_session"), (sessions, "good_csrf_token")],
)
def test_what_is_secret_is_compared_in_constant_time_and_in_no_other_way(module, function) -> None:
    """Time cannot be measured reliably enough to show it, so the code itself is looked at."""
    tree = ast.parse(inspect.getsource(inspect.unwrap(getattr(module, function))))
    calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert "hmac.compare_digest" in calls
    compared = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        and any(isinstance(one, ast.Eq | ast.NotEq) for one in node.ops)
        and ".c." not in ast.unparse(node)  # the database looks for a hash, which tells nothing of the key
    ]
    assert not [
        one for one in compared if any(word in one for word in ("seal", "token", "digest", "text =="))
    ]


def test_wrong_keys_that_look_like_none_are_not_even_looked_up(shared) -> None:
    parts = shared.client.app.state.parts
    parts.refusals = type(parts.refusals)(1000.0, 1000)
    for text in ("", "Bearer", "tt_é", "sk_other", "tt_" + "x" * 10_000, "tt_' OR 1=1 --"):
        answer = shared.get("/v1/tags", None, headers={"Authorization": f"Bearer {text}".encode()})
        assert answer.status_code == 401, text
    assert auth.LOCAL.key_id == 0


def test_behind_tls_cookies_and_answers_say_so(shared) -> None:
    parts = shared.client.app.state.parts
    before = parts.settings
    parts.settings = replace(before, secure=True)
    try:
        answer = shared.post("/sign-in", None, data={"key": shared.keys["editor"]}, follow_redirects=False)
    finally:
        parts.settings = before
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-")
    for part in ("Secure", "HttpOnly", "SameSite=strict", "Path=/"):
        assert part in cookie
    assert "Domain" not in cookie
    assert answer.headers["Strict-Transport-Security"]
