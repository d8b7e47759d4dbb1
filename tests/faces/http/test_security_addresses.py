"""Addresses that others give: no webhook, feed or URI lets anybody reach into the server's own network or disk."""

from __future__ import annotations

import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tagtower.errors import FetchError
from tagtower.net.send import send
from tagtower.usecases.installation import feeds, topics, webhooks

DISGUISES = (
    "http://127.0.0.1:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.0.0.1:{port}/",
    "http://017700000001:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://[::1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:{port}/",
    "http://[64:ff9b::127.0.0.1]:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://169.254.169.254:{port}/latest/meta-data/",
    "http://[fe80::1]:{port}/",
)
"""This machine, and where clouds hand out secrets, in every spelling that a resolver might take."""

NEVER = (
    "file:///etc/passwd",
    "gopher://127.0.0.1:70/x",
    "ftp://127.0.0.1/x",
    "dict://127.0.0.1:11211/stat",
    "ldap://127.0.0.1/",
    "data:text/xml,<rss/>",
    "javascript:alert(1)",
    "jar:http://127.0.0.1!/",
    "//127.0.0.1/x",
    "http:///etc/passwd",
    "http://user:secret@news.example/rss",
    "http://news.example@127.0.0.1/",
    "http://news.example:22/",
    "http://news.example/\r\nX-Header: 1",
    "http://news.example/\x00",
)


@pytest.fixture(scope="module")
def inside():
    """A service of this machine, and who reached it; below /away it redirects to itself."""
    reached: list[tuple[str, str]] = []

    class Inside(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reached.append((self.command, self.path))
            away = self.path.startswith("/away")
            self.send_response(302 if away else 200)
            if away:
                self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/secret")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Inside)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server.server_port, reached
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def nobody_was_reached(inside):
    inside[1].clear()


def webhook_error(shared, url: str) -> str | None:
    """What a webhook at an address comes to; None where it cannot even be added."""
    made = shared.post("/v1/webhooks", json={"url": url})
    if made.status_code == 422:
        return None
    assert made.status_code == 201, made.text
    shared.post("/v1/tags", json={"text": f"told {made.json()['id']}"})
    webhooks.deliver(shared.installation)
    (shown,) = shared.get("/v1/webhooks").json()["webhooks"]
    shared.call("admin", "DELETE", f"/v1/webhooks/{made.json()['id']}")
    return str(shown["error"])


@pytest.mark.parametrize("form", DISGUISES)
def test_no_spelling_of_an_inner_address_gets_a_webhook_or_is_fetched_as_a_feed(shared, inside, form) -> None:
    port, reached = inside
    url = form.format(port=port)
    error = webhook_error(shared, url)
    assert error is None or " is " in error or "cannot be resolved" in error, error
    made = shared.post("/v1/feeds", json={"url": url})
    assert made.status_code in (201, 422), made.text
    if made.status_code == 201:
        feed = f"#{made.json()['id']}"
        assert topics.poll_feed(shared.installation, feed).error is not None
        feeds.remove_feed(shared.installation, feed)
    assert reached == []


@pytest.mark.parametrize("url", NEVER)
def test_what_is_no_plain_web_address_is_refused_when_it_is_added(shared, url) -> None:
    for path in ("/v1/feeds", "/v1/webhooks"):
        answer = shared.post(path, json={"url": url})
        assert answer.status_code == 422, (path, answer.text)
        assert "secret@" not in answer.text
    assert shared.get("/v1/feeds").json() == {"feeds": []}
    assert shared.get("/v1/webhooks").json() == {"webhooks": []}


def test_a_name_that_means_a_private_address_gets_no_message() -> None:
    for answer in (["10.0.0.1"], ["8.8.8.8", "192.168.0.1"], ["::ffff:127.0.0.1"], ["169.254.169.254"]):
        with pytest.raises(FetchError, match="is a"):
            send("http://rebind.example/", b"{}", {}, resolve=lambda *_, found=answer: found)


def test_a_webhook_follows_no_redirect(shared, inside) -> None:
    port, reached = inside
    made = shared.post("/v1/webhooks", json={"url": f"http://127.0.0.1:{port}/away", "allow_private": True})
    shared.post("/v1/tags", json={"text": "told of a redirect"})
    webhooks.deliver(shared.installation)
    (shown,) = shared.get("/v1/webhooks").json()["webhooks"]
    shared.call("admin", "DELETE", f"/v1/webhooks/{made.json()['id']}")
    assert "302" in shown["error"]
    assert {path for _, path in reached} == {"/away"}


@pytest.mark.parametrize(
    "uri",
    [
        "{folder}/../outside.mp4",
        "{folder}/%2e%2e/outside.mp4",
        "{folder}/%2e%2e%2foutside.mp4",
        "{folder}/a/../../outside.mp4",
        "{folder}-beside/x.mp4",
        "file://127.0.0.1/etc/passwd",
        "file://localhost/etc/passwd",
        "FILE:///etc/passwd",
        "file:/etc/passwd",
        "file:///proc/self/environ",
        "file:///etc/passwd%00.mp4",
        "gopher://127.0.0.1/x",
    ],
)
def test_a_uri_leads_out_of_no_folder_that_was_allowed(shared, tmp_path, uri) -> None:
    folder = tmp_path / "archive"
    (folder / "a").mkdir(parents=True)
    (tmp_path / "outside.mp4").write_bytes(b"not for you")
    (tmp_path / "archive-beside").mkdir()
    (tmp_path / "archive-beside" / "x.mp4").write_bytes(b"not for you")
    parts = shared.client.app.state.parts
    before = parts.settings
    parts.settings = replace(before, media_folders=(folder.resolve(),))
    try:
        answer = shared.post("/v1/videos", json={"uri": uri.format(folder=folder.as_uri())})
    finally:
        parts.settings = before
    assert answer.status_code == 422, answer.text
    assert answer.json()["type"].endswith("unusable")
    assert "not for you" not in answer.text
    assert answer.json()["detail"].startswith("The server")
