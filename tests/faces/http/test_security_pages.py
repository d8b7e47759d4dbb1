"""What strangers write is shown as they wrote it and never run; sessions end when they are ended."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from tagtower.faces.http.sessions import COOKIE

HARM = "\"><script>alert(1)</script><img src=x onerror=alert(2)>]]><!-- ' javascript:alert(3)"
PAGES = ("/review", "/library", "/tags", "/topics", "/models", "/keys", "/health")


@pytest.fixture(scope="module")
def harmful(shared):
    """A tag, a video and a feed with harm in every text."""
    tag = shared.post("/v1/tags", json={"text": HARM, "aliases": [f"{HARM} too"], "description": HARM})
    assert tag.status_code == 201, tag.text
    video = shared.post("/v1/videos", json={"title": HARM, "name": HARM, "description": HARM, "owner": HARM})
    assert video.status_code == 201, video.text
    feed = shared.post("/v1/feeds", json={"url": "https://news.example/?q=<script>alert(1)</script>"})
    assert feed.status_code == 201, feed.text
    number = video.json()["id"]
    said = shared.post(f"/v1/videos/{number}/verdicts", json={"verdicts": [{"tag": HARM, "verdict": "add"}]})
    assert said.status_code == 200, said.text
    return number, said.json()["verdicts"][0]["tag_id"]


@pytest.fixture(scope="module")
def signed_in(shared):
    """The headers of somebody who is signed in as administrator."""
    answer = shared.post("/sign-in", None, data={"key": shared.keys["admin"]}, follow_redirects=False)
    shared.client.cookies.clear()
    text = re.search(rf"{COOKIE}=([^;]+)", answer.headers["Set-Cookie"])[1]
    return {"Cookie": f"{COOKIE}={text}"}


@pytest.mark.parametrize(
    "page", [*PAGES, "/library/1", "/tags?search=%3Cscript%3E", "/nowhere?x=%3Cscript%3E"]
)
def test_no_page_holds_what_would_run(shared, harmful, signed_in, page) -> None:
    answer = shared.get(page, None, headers=signed_in)
    text = answer.text.lower()
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert not re.search(r"\son[a-z]+\s*=\s*[\"'a-z]", re.sub(r"&[a-z#0-9]+;", " ", text).split("</head>")[0])
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "object-src 'none'" in policy
    assert "base-uri 'none'" in policy


def test_a_feed_of_a_tag_is_sound_whatever_its_texts_are(shared, harmful) -> None:
    _, tag = harmful
    answer = shared.get(f"/v1/tags/{tag}/feed.atom", "terminal")
    assert answer.status_code == 200, answer.text
    root = ElementTree.fromstring(answer.content)
    titles = [one.text for one in root.iter("{http://www.w3.org/2005/Atom}title")]
    assert titles[0] == HARM
    assert root.find(".//script") is None
    assert answer.headers["Content-Type"].startswith("application/atom+xml")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_problem_repeats_what_was_sent_only_as_json(shared) -> None:
    answer = shared.get("/v1/videos", params={"tag": HARM + "?"}, headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_media_that_are_a_page_are_not_sent_as_one(shared, job) -> None:
    data = job.clips["red-low"].read_bytes() + b"<script>alert(1)</script>"
    for number, name in enumerate(("x.html", "x.svg", "x.xhtml", "x.js", "x.mp4.html")):
        made = shared.post("/v1/videos", content=data + bytes([number]), params={"filename": name})
        assert made.status_code == 201, made.text
        answer = shared.get(made.headers["Location"] + "/media")
        assert answer.headers["Content-Type"] == "application/octet-stream", name
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_session_that_was_ended_opens_nothing_with_a_copy_of_its_cookie(shared) -> None:
    def sign_in() -> dict[str, str]:
        answer = shared.post("/sign-in", None, data={"key": shared.keys["editor"]}, follow_redirects=False)
        shared.client.cookies.clear()
        return {"Cookie": f"{COOKIE}={re.search(rf'{COOKIE}=([^;]+)', answer.headers['Set-Cookie'])[1]}"}

    one, other = sign_in(), sign_in()
    token = re.search(r'name="csrf" value="([^"]+)"', shared.get("/tags", None, headers=one).text)[1]
    without = shared.post("/sign-out", None, headers=one, follow_redirects=False)
    assert without.status_code == 403, "another site cannot sign anybody out"
    assert shared.get("/v1/tags", None, headers=one).status_code == 200
    ended = shared.post("/sign-out", None, headers=one, data={"csrf": token}, follow_redirects=False)
    assert ended.status_code == 303
    assert shared.get("/v1/tags", None, headers=one).status_code == 401
    assert shared.get("/tags", None, headers=one, follow_redirects=False).status_code == 303
    assert shared.get("/v1/tags", None, headers=other).status_code == 200, "the other browser stays signed in"


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://evil.example",
        "https://127.0.0.1:8765.evil.example",
        "http://127.0.0.1:8766",
        "file://",
        "127.0.0.1:8765",
    ],
)
def test_no_change_comes_from_another_origin_even_with_a_key(shared, origin) -> None:
    for role in ("admin", None):
        answer = shared.post("/v1/tags", role, json={"text": "from afar"}, headers={"Origin": origin})
        assert answer.status_code == 403, origin
    assert (
        shared.post(
            "/v1/tags", None, json={"text": "x"}, headers={"Origin": "http://127.0.0.1:8765"}
        ).status_code
        == 401
    )
