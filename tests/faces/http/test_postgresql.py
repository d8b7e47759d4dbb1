"""The server on PostgreSQL answers as it does on SQLite, where the questions to the database differ."""

from __future__ import annotations

import re
from typing import Any

import pytest

pytestmark = pytest.mark.slow


EACH_TIME = {"request", "next", "added", "shelved", "created", "at"}


def told(answer: Any) -> tuple[int, Any]:
    """Status and body of an answer, without what is another one each time."""
    if "json" in answer.headers["Content-Type"]:
        return answer.status_code, plain(answer.json())
    body = re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+(\+00:00|Z)?", "MOMENT", answer.text)
    return answer.status_code, re.sub(r"urn:tagtower:[0-9a-f]{16}", "urn:tagtower:HOME", body)


def plain(body: Any) -> Any:
    if isinstance(body, dict):
        kept = {name for name in body if name not in EACH_TIME and not name.endswith("_at")}
        return {name: plain(body[name]) for name in sorted(kept)}
    if isinstance(body, list):
        return [plain(one) for one in body]
    return round(body, 2) if isinstance(body, float) else body


READS = (
    "/v1/videos",
    "/v1/videos?tag=red",
    "/v1/videos?tag=red&tag=music&words=walk",
    "/v1/videos?words=walk",
    "/v1/videos?words=gre*",
    "/v1/videos?words=nothing",
    "/v1/videos?similar=1",
    "/v1/videos?similar=1&owner=newsroom&limit=1",
    "/v1/videos?owner=newsroom&shelf=labelled&since=2000-01-01T00:00:00Z",
    "/v1/videos?until=2000-01-01T00:00:00Z",
    "/v1/videos?reviewed=true",
    "/v1/videos?tag=unknown",
    "/v1/videos?words=%25%5F%5C%27%22",
    "/v1/videos/1",
    "/v1/videos/99",
    "/v1/tags",
    "/v1/tags?search=re",
    "/v1/tags/1",
    "/v1/tags/1/feed.atom",
    "/v1/events/list",
    "/v1/models",
    "/v1/feeds/hot",
)


def test_it_answers_as_on_sqlite(on_postgresql, filled) -> None:
    for path in READS:
        here, there = told(on_postgresql.get(path)), told(filled.get(path))
        assert here == there, path


def test_pages_go_on_where_the_last_one_ended(on_postgresql) -> None:
    first = on_postgresql.get("/v1/videos", params={"limit": 2}).json()
    second = on_postgresql.get("/v1/videos", params={"limit": 2, "cursor": first["next"]}).json()
    assert [one["id"] for one in first["videos"] + second["videos"]] == [3, 2, 1]


def test_a_verdict_counts_at_once_and_only_for_what_was_seen(on_postgresql) -> None:
    seen = on_postgresql.get("/v1/videos/2").headers["ETag"]
    body = {"verdicts": [{"tag": "music", "verdict": "add"}]}
    path = "/v1/videos/2/verdicts"
    assert on_postgresql.post(path, "editor", json=body, headers={"If-Match": seen}).status_code == 200
    assert on_postgresql.post(path, "editor", json=body, headers={"If-Match": seen}).status_code == 409
    found = on_postgresql.get("/v1/videos", params={"tag": "music", "reviewed": "true"}).json()["videos"]
    assert [one["id"] for one in found] == [2]


def test_uploads_replies_and_erasure_work(on_postgresql, job) -> None:
    data, key = job.clips["blue-low"].read_bytes(), {"Idempotency-Key": "once"}
    begun = on_postgresql.post("/v1/videos/uploads", json={"length": len(data)}, headers=key)
    again = on_postgresql.post("/v1/videos/uploads", json={"length": len(data)}, headers=key)
    path = begun.headers["Location"]
    assert again.headers["Location"] == path
    for start, part in ((0, data[:100]), (100, data[100:])):
        sent = on_postgresql.call("admin", "PATCH", path, headers={"Upload-Offset": str(start)}, content=part)
        assert sent.status_code == 204, sent.text
    done = on_postgresql.post(f"{path}/complete", json={"title": "erase me"})
    assert done.status_code == 201, done.text
    assert on_postgresql.get("/metrics").status_code == 200
    erased = on_postgresql.call("admin", "DELETE", done.headers["Location"])
    assert erased.status_code == 200, erased.text
    assert on_postgresql.get(done.headers["Location"]).status_code == 404


def test_a_session_is_ended_there_too(on_postgresql) -> None:
    from tagtower.faces.http.sessions import COOKIE, LASTS, new_session
    from tagtower.usecases.installation import keys

    installation = on_postgresql.installation
    (editor,) = [one for one in keys.list_all(installation) if one.name == "editor"]
    text_of = new_session(on_postgresql.client.app.state.parts.secret, editor.id, installation.clock())
    cookie = {"Cookie": f"{COOKIE}={text_of}"}
    assert on_postgresql.get("/v1/tags", None, headers=cookie).status_code == 200
    keys.end_session(installation, text_of, LASTS)
    keys.end_session(installation, text_of, LASTS)
    assert on_postgresql.get("/v1/tags", None, headers=cookie).status_code == 401
