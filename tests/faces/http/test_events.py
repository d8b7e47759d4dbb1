"""What happened is told once, in order, to streams, lists and webhooks, and forgotten with its video."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tagtower.faces.http.routes.events import event_lines
from tagtower.library.events import Event, read_events, record
from tagtower.usecases.installation import webhooks


def happened(served, **params) -> list[dict]:
    return served.get("/v1/events/list", "terminal", params={"limit": 1000, **params}).json()["events"]


def test_labelling_and_curation_are_told(filled) -> None:
    kinds = [one["kind"] for one in happened(filled)]
    assert kinds.count("video.labelled") == 3
    assert kinds.count("tag.added") == 6
    number = happened(filled)[-1]["id"]
    filled.post("/v1/tags/1/rename", json={"text": "crimson"})
    (told,) = happened(filled, after=number)
    assert (told["kind"], told["data"]["tags"][0]["text"]) == ("tag.changed", "crimson")
    assert filled.get("/v1/events/list", params={"kind": "nothing"}).status_code == 422


def test_a_dry_run_is_not_told(empty) -> None:
    empty.post("/v1/tags", json={"text": "red"}, params={"dry_run": "true"})
    assert happened(empty) == []


def test_what_happened_to_a_video_is_forgotten_with_it(filled) -> None:
    assert filled.call("admin", "DELETE", "/v1/videos/1").status_code == 200
    assert 1 not in [one["data"].get("video") for one in happened(filled)]


def test_an_event_is_one_block_of_a_stream() -> None:
    from datetime import UTC, datetime

    lines = event_lines(Event(7, datetime(2030, 1, 1, tzinfo=UTC), "tag.added", {"text": "a\n\nb"}))
    assert lines.endswith("\n\n")
    assert lines.count("\n\n") == 1
    assert json.loads(lines.split("data: ")[1])["data"]["text"] == "a\n\nb"


def test_an_event_is_kept_or_undone_with_what_it_tells_of(empty) -> None:
    database, now = empty.installation.database, empty.installation.clock()

    def fail() -> None:
        with database.write() as connection:
            record(connection, "tag.added", {}, now)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with database.read() as connection:
        assert read_events(connection, 0, now=now) == ([], 0)


@pytest.fixture
def receiver():
    """An address that takes messages, unless it was told to fail."""
    got: list[tuple[dict[str, str], bytes]] = []
    answers: list[int] = []

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = answers.pop(0) if answers else 204
            if status == 204:
                got.append((dict(self.headers), body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Taking)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", got, answers
    server.shutdown()
    server.server_close()


def test_a_webhook_gets_each_event_signed_and_in_order_although_it_fails_at_times(empty, receiver) -> None:
    url, got, answers = receiver
    refused = empty.post("/v1/webhooks", json={"url": "ftp://x/y"})
    assert refused.status_code == 422
    made = empty.post("/v1/webhooks", json={"url": url, "allow_private": True, "kinds": ["tag.added"]})
    assert made.status_code == 201, made.text
    secret = made.json()["secret"]
    assert secret not in empty.get("/v1/webhooks").text
    for text in ("a", "b", "c"):
        empty.post("/v1/tags", json={"text": text})
    empty.post("/v1/tags/1/rename", json={"text": "z"})
    answers += [204, 500]
    assert webhooks.deliver(empty.installation) is False
    assert len(got) == 1
    shown = empty.get("/v1/webhooks").json()["webhooks"][0]
    assert (shown["failures"], "500" in shown["error"]) == (1, True)
    assert webhooks.deliver(empty.installation) is False, "it waits before it tries again"
    with empty.installation.database.write() as connection:
        from tagtower.library.schema import webhooks as table

        connection.execute(table.update().values(not_before=None))
    assert webhooks.deliver(empty.installation) is True
    told = [json.loads(body)["data"]["tags"][0]["text"] for _, body in got]
    assert told == ["a", "b", "c"]
    for headers, body in got:
        stamp = int(headers["TagTower-Timestamp"])
        assert headers["TagTower-Signature"] == webhooks.signature(secret, stamp, body)
    assert webhooks.deliver(empty.installation) is False
    assert empty.call("admin", "DELETE", "/v1/webhooks/1").status_code == 200


def test_a_webhook_does_not_reach_into_private_networks_unasked(empty, receiver) -> None:
    url, got, _ = receiver
    assert empty.post("/v1/webhooks", json={"url": url}).status_code == 201
    empty.post("/v1/tags", json={"text": "a"})
    webhooks.deliver(empty.installation)
    assert got == []
    assert "address of this machine" in empty.get("/v1/webhooks").json()["webhooks"][0]["error"]


def test_feeds_are_added_paused_and_removed(empty) -> None:
    made = empty.post("/v1/feeds", json={"url": "https://news.example/rss"})
    assert made.status_code == 201, made.text
    assert empty.post("/v1/feeds", json={"url": "/etc/passwd"}).status_code == 422
    assert empty.post("/v1/feeds", json={"url": "file:///etc/passwd"}).status_code == 422
    assert empty.post("/v1/feeds/1/pause", json={}).json()["state"] == "paused"
    assert empty.post("/v1/feeds/1/resume", json={}).json()["state"] == "active"
    assert empty.get("/v1/feeds/hot", "terminal").json() == {"tags": []}
    assert empty.call("admin", "DELETE", "/v1/feeds/1").status_code == 200
    assert empty.get("/v1/feeds").json() == {"feeds": []}
