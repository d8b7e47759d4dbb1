"""The pages of models, of health, of feeds and of webhooks."""

from __future__ import annotations

import http.server
import threading

import pytest

from tagtower.usecases.installation import feeds, models, webhooks
from tagtower.usecases.installation.deliveries import list_sendings
from tagtower.usecases.installation.find import show_video


def active(installation) -> str:
    return next(one.model.name for one in models.status(installation) if one.model.state == "active")


def test_a_model_is_promoted_and_rolled_back(filled, browse):
    browser = browse("admin")
    assert "second is active now." in browser.post("/models/promote", name="second").text
    assert active(filled) == "second"
    browser.post("/models/roll-back", part=False)
    assert (
        active(filled) == "second"
    )  # the first has not seen the videos, and nobody said that this does not matter
    assert "has not seen" in browser.post("/models/promote", name="first", back="/models").text
    browser.post("/models/promote", name="first", force="true")
    assert active(filled) == "first"


def test_two_models_are_held_side_by_side_on_the_verdicts(filled, browse):
    browser = browse("editor")
    browser.post("/review/1/verdict", part=True, tag="siren", verdict="accept")
    browser.post("/review/1/verdict", part=True, tag="red", verdict="reject")
    text = browser.get("/models").text
    assert "1 video with verdicts that both have seen" in text
    row = text.split(">Precision<")[1].split("</tr>")[0]
    assert "50.0 %" in row
    assert "<strong>100.0 %</strong>" in row


def test_a_model_that_there_is_not_is_compared_with_nothing(filled, browse):
    assert browse().get("/models?first=nosuch&second=second").status_code == 200


def test_failures_stand_there_by_reason_and_are_tried_again(filled, browse):
    browser = browse()
    assert "damaged" in browser.get("/health").text
    browser.post("/health/retry", kind="timeout")
    assert show_video(filled, 4).video.shelf == "failed"
    browser.post("/health/retry", kind="damaged")
    assert show_video(filled, 4).video.shelf == "unlabelled"


def test_videos_that_wait_without_a_worker_are_an_alarm(filled, browse):
    assert "no worker is running" in browse().get("/health").text


def test_a_feed_is_paused_resumed_and_removed_and_its_fault_is_told(filled, browse):
    browser = browse("admin")
    url = feeds.list_feeds(filled)[0].url
    text = browser.get("/topics").text
    assert "failed once" in text
    assert "Put in quarantine · every 1 minute" in text
    browser.post("/topics/feeds/pause", url=url)
    assert feeds.list_feeds(filled)[0].state == "paused"
    browser.post("/topics/feeds/resume", url=url)
    assert feeds.list_feeds(filled)[0].failures == 0
    assert "is forgotten" in browser.post("/topics/feeds/remove", url=url).text
    assert feeds.list_feeds(filled) == []


@pytest.fixture
def listener():
    """A server of this machine that answers with a status of one's choice, and keeps what it got."""

    class Listener(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.got.append((dict(self.headers), body))
            self.send_response(server.status)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Listener)
    server.got, server.status = [], 204
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_webhook_is_added_tried_and_removed(filled, browse, listener):
    browser = browse("admin")
    url = f"http://127.0.0.1:{listener.server_port}/hook"
    refused = browser.post("/webhooks/add", url="ftp://news.example/", back="/webhooks")
    assert 'role="alert"' in refused.text
    made = browser.post("/webhooks/add", url=url, private="true", kind=["tag.added"])
    (hook,) = webhooks.list_all(filled)
    assert hook.secret in made.text
    assert hook.secret not in browser.get("/webhooks").text
    assert "It took the event." in browser.post(f"/webhooks/{hook.id}/try").text
    headers, body = listener.got[0]
    sent = webhooks.signature(hook.secret, int(headers["TagTower-Timestamp"]), body)
    assert headers["TagTower-Signature"] == sent
    assert b'"kind": "trial"' in body
    listener.status = 503
    assert "status 503" in browser.post(f"/webhooks/{hook.id}/try").text
    browser.post(f"/webhooks/{hook.id}/remove")
    assert webhooks.list_all(filled) == []


def test_the_page_of_webhooks_tells_what_became_of_each_event(filled, browse, listener):
    browser = browse("admin")
    url = f"http://127.0.0.1:{listener.server_port}/"
    browser.post("/webhooks/add", url=url, private="true", kind="tag.added")
    for text in ("one", "two"):
        browser.post("/tags/add", text=text)
    webhooks.deliver(filled)
    browser.post("/tags/add", text="three")
    browser.post("/tags/add", text="four")
    listener.status = 500
    webhooks.deliver(filled)
    (sending,) = list_sendings(filled)
    assert [one.state for one in sending.deliveries] == ["waiting", "refused", "taken", "taken"]
    assert {one.kind for one in sending.deliveries} == {"tag.added"}
    text = browser.get("/webhooks").text
    assert "refused once" in text
    assert "It answers with status 500." in text
