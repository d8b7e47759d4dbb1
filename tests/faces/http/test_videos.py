"""Handing videos in over HTTP, in pieces and at once, finding, judging, playing and erasing them."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagtower.faces.http.routes.media import parse_range
from tagtower.usecases.installation import uploads as upload_cases


@pytest.fixture
def clip(job) -> bytes:
    return job.clips["blue-high"].read_bytes()


def send(served, data: bytes, offset: int, upload: str, role: str = "terminal"):
    headers = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
    return served.call(role, "PATCH", f"/v1/videos/uploads/{upload}", content=data, headers=headers)


async def break_off(served, upload: str, data: bytes) -> None:
    """Send some of a piece, and go away."""
    coming = [
        {"type": "http.request", "body": data, "more_body": True},
        {"type": "http.disconnect"},
    ]
    headers = {
        "host": "127.0.0.1",
        "authorization": f"Bearer {served.keys['terminal']}",
        "upload-offset": "0",
        "content-length": str(len(data) * 2),
    }
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "PATCH",
        "path": f"/v1/videos/uploads/{upload}",
        "raw_path": b"",
        "query_string": b"",
        "scheme": "http",
        "server": ("127.0.0.1", 8765),
        "client": ("127.0.0.1", 1),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    sent = []

    async def receive():
        return coming.pop(0)

    async def send(message) -> None:
        sent.append(message)

    await served.client.app(scope, receive, send)
    assert sent == [], "whoever is gone gets no answer"


def test_an_upload_that_breaks_goes_on_where_it_stopped(empty, clip) -> None:
    begun = empty.post("/v1/videos/uploads", "terminal", json={"length": len(clip)})
    assert begun.status_code == 201, begun.text
    upload = begun.json()["id"]
    half = len(clip) // 2

    asyncio.run(break_off(empty, upload, clip[:half]))
    reached = int(empty.call("terminal", "HEAD", f"/v1/videos/uploads/{upload}").headers["Upload-Offset"])
    assert reached == half
    assert send(empty, clip[reached:half], reached, upload).status_code == 204
    assert send(empty, clip[half:], 0, upload).status_code == 409
    early = empty.post(f"/v1/videos/uploads/{upload}/complete", "terminal", json={})
    assert early.status_code == 409
    assert send(empty, clip[half:], half, upload).headers["Upload-Offset"] == str(len(clip))
    said = {"title": "a song", "filename": "song.mp4", "sha256": hashlib.sha256(clip).hexdigest()}
    done = empty.post(f"/v1/videos/uploads/{upload}/complete", "terminal", json=said)
    assert done.status_code == 201, done.text
    again = empty.post(f"/v1/videos/uploads/{upload}/complete", "terminal", json=said)
    assert again.json() == done.json()
    shown = empty.get(done.headers["Location"]).json()
    assert (shown["title"], shown["shelf"], shown["bytes"]) == ("a song", "unlabelled", len(clip))
    assert shown["references"][0]["owner"] == "terminal"
    assert list((empty.installation.home / "uploads").iterdir()) == []


def test_a_file_that_was_changed_on_the_way_is_refused_and_can_be_completed_otherwise(empty, clip) -> None:
    upload = empty.post("/v1/videos/uploads", json={}).json()["id"]
    send(empty, clip, 0, upload, "admin")
    wrong = empty.post(f"/v1/videos/uploads/{upload}/complete", json={"sha256": "0" * 64})
    assert wrong.status_code == 422
    assert "SHA-256" in wrong.json()["detail"]
    assert empty.post(f"/v1/videos/uploads/{upload}/complete", json={}).status_code == 201


def test_nobody_else_goes_on_with_an_upload(empty, clip) -> None:
    upload = empty.post("/v1/videos/uploads", "terminal", json={}).json()["id"]
    assert send(empty, clip, 0, upload, "admin").status_code == 404
    assert empty.call("admin", "DELETE", f"/v1/videos/uploads/{upload}").status_code == 404
    assert empty.call("terminal", "DELETE", f"/v1/videos/uploads/{upload}").status_code == 204


def test_more_than_was_announced_is_refused(empty, clip) -> None:
    upload = empty.post("/v1/videos/uploads", json={"length": 10}).json()["id"]
    assert send(empty, clip, 0, upload, "admin").status_code == 422
    assert int(empty.call("admin", "HEAD", f"/v1/videos/uploads/{upload}").headers["Upload-Offset"]) == 0


def test_idle_uploads_are_removed_with_their_files(empty, clip) -> None:
    upload = empty.post("/v1/videos/uploads", json={}).json()["id"]
    send(empty, clip, 0, upload, "admin")
    assert upload_cases.remove_idle(empty.installation, 24.0) == 0
    assert upload_cases.remove_idle(empty.installation, -1.0) == 1
    assert empty.get(f"/v1/videos/uploads/{upload}").status_code == 404


@pytest.mark.parametrize(
    "name", ["../../../etc/passwd", "..\\..\\x.mp4", "/etc/x.mp4", "a/b.mp4", "x.mp4/../../y", ".", "~root"]
)
def test_a_name_is_never_a_path(empty, clip, name: str) -> None:
    before = {path for path in empty.installation.home.parent.rglob("*") if path.is_file()}
    made = empty.post("/v1/videos", params={"name": name, "filename": name}, content=clip)
    assert made.status_code == 201, made.text
    assert empty.get(f"/v1/videos/{made.json()['id']}").json()["references"][0]["name"] == name
    new = {path for path in empty.installation.home.parent.rglob("*") if path.is_file()} - before
    media = empty.installation.home / "media"
    assert {path for path in new if not path.is_relative_to(media) and "sqlite" not in path.name} == set()
    for upload in ("..%2f..%2fetc", "%2e%2e", "a" * 31, "A" * 32):
        assert empty.get(f"/v1/videos/uploads/{upload}").status_code in (404, 422)


def test_a_form_with_a_file_is_taken_as_well(empty, clip) -> None:
    made = empty.post(
        "/v1/videos", files={"file": ("song.mp4", clip)}, data={"title": "a song", "owner": "newsroom"}
    )
    assert made.status_code == 201, made.text
    shown = empty.get(made.headers["Location"]).json()
    assert (shown["title"], shown["references"][0]["owner"]) == ("a song", "newsroom")
    assert (
        empty.post("/v1/videos", files={"file": ("song.mp4", clip)}, data={"titel": "x"}).status_code == 422
    )


def test_a_title_alone_is_a_video_and_nothing_is_none(empty) -> None:
    made = empty.post("/v1/videos", json={"title": "a walk", "name": "walk"})
    assert made.status_code == 201, made.text
    assert empty.get(f"/v1/videos/{made.json()['id']}").json()["links"]["media"] is None
    for body in ({}, {"name": "x"}, {"title": "x"}, {"titel": "x"}, [], 3):
        assert empty.post("/v1/videos", json=body).status_code == 422, body
    headers = {"Content-Type": "application/json"}
    assert empty.post("/v1/videos", content=b"{", headers=headers).status_code == 400


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc/passwd",
        "/etc/passwd",
        "http://127.0.0.1/x",
        "http://169.254.169.254/latest",
        "ftp://x/y",
        "file://host/x",
        "s3://bucket/x",
    ],
)
def test_a_uri_that_the_server_was_not_told_of_is_not_read(empty, uri: str) -> None:
    answer = empty.post("/v1/videos", json={"uri": uri})
    assert answer.status_code == 422, answer.text
    assert answer.json()["hint"]


@pytest.mark.parametrize("data", [b"", b"no media at all", b"\x00" * 4096])
def test_what_is_no_media_is_refused_without_a_path_of_the_server(empty, data: bytes) -> None:
    answer = empty.post("/v1/videos", content=data)
    assert answer.status_code == 422
    assert str(empty.installation.home) not in answer.text
    assert empty.get("/v1/videos").json() == {"videos": [], "next": None}


def test_the_same_request_again_is_answered_the_same_and_done_once(empty, clip) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first = empty.post("/v1/videos", params={"name": "a"}, content=clip, headers=key)
    again = empty.post("/v1/videos", params={"name": "a"}, content=clip, headers=key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    other = empty.post("/v1/videos", params={"name": "b"}, content=clip, headers=key)
    assert other.status_code == 422
    assert len(empty.get("/v1/videos").json()["videos"]) == 1
    elsewhere = empty.post("/v1/videos", "terminal", params={"name": "b"}, content=clip, headers=key)
    assert elsewhere.status_code == 201, "a key is its owner's own"


def test_a_request_that_failed_may_be_mended_under_its_key(empty, clip) -> None:
    key = {"Idempotency-Key": "mine"}
    assert empty.post("/v1/videos", content=b"none", headers=key).status_code == 422
    assert empty.post("/v1/videos", content=clip, headers=key).status_code == 201


def test_videos_are_found_page_by_page_while_others_come_in(filled) -> None:
    first = filled.get("/v1/videos", params={"limit": 2}).json()
    assert len(first["videos"]) == 2
    filled.post("/v1/videos", json={"title": "late", "name": "late"})
    rest = filled.get("/v1/videos", params={"limit": 2, "cursor": first["next"]}).json()
    ids = [one["id"] for one in first["videos"] + rest["videos"]]
    assert len(set(ids)) == 3
    assert ids == sorted(ids, reverse=True)
    changed = filled.get("/v1/videos", params={"cursor": first["next"], "shelf": "failed"})
    assert changed.status_code == 422
    similar = filled.get("/v1/videos", params={"similar": ids[-1]}).json()["videos"]
    assert len(similar) == 2
    assert filled.get("/v1/videos", params={"words": "green"}).json()["videos"][0]["title"].endswith("green")
    assert filled.get("/v1/videos", params={"tag": "no such tag"}).status_code == 404


def test_a_verdict_counts_and_is_refused_where_the_video_has_changed(filled) -> None:
    shown = filled.get("/v1/videos/1")
    etag = shown.headers["ETag"]
    assert filled.get("/v1/videos/1", headers={"If-None-Match": etag}).status_code == 304
    body = {"verdicts": [{"tag": "red", "verdict": "add"}, {"tag": "blue", "verdict": "reject"}]}
    said = filled.post("/v1/videos/1/verdicts", "editor", json=body, headers={"If-Match": etag})
    assert said.status_code == 200, said.text
    assert said.headers["ETag"] != etag
    stale = filled.post("/v1/videos/1/verdicts", "editor", json=body, headers={"If-Match": etag})
    assert stale.status_code == 409
    tags = {tag["tag"]: tag["origin"] for tag in said.json()["video"]["tags"]}
    assert tags["red"] == "person"
    assert "blue" not in tags
    assert [one["author"] for one in said.json()["video"]["verdicts"]] == ["editor", "editor"]
    none = filled.post("/v1/videos/1/verdicts", json={"verdicts": [{"tag": "zzz", "verdict": "accept"}]})
    assert none.status_code == 404


def test_media_are_played_in_ranges(filled, job) -> None:
    data = job.clips["red-low"].read_bytes()
    whole = filled.get("/v1/videos/1/media", "terminal")
    assert whole.content == data
    assert whole.headers["Content-Type"] == "video/mp4"
    assert whole.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in whole.headers["Content-Security-Policy"]
    part = filled.get("/v1/videos/1/media", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, data[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(data)}"
    assert filled.get("/v1/videos/1/media", headers={"Range": "bytes=-5"}).content == data[-5:]
    beyond = filled.get("/v1/videos/1/media", headers={"Range": f"bytes={len(data)}-"})
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{len(data)}")
    other = {"Range": "bytes=0-1", "If-Range": '"another"'}
    assert filled.get("/v1/videos/1/media", headers=other).status_code == 200
    head = filled.call("admin", "HEAD", "/v1/videos/1/media")
    assert (head.content, head.headers["Content-Length"]) == (b"", str(len(data)))


def test_pictures_are_made_kept_and_erased_with_their_video(filled) -> None:
    picture = filled.get("/v1/videos/1/thumbnail", "terminal")
    assert picture.content[:2] == b"\xff\xd8"
    assert filled.get("/v1/videos/1/strip").content[:2] == b"\xff\xd8"
    kept = list((filled.installation.home / "previews").rglob("*.jpg"))
    assert len(kept) == 2
    sound = [v["id"] for v in filled.get("/v1/videos").json()["videos"] if not v["facts"]["pictures"]]
    assert filled.get(f"/v1/videos/{sound[0]}/thumbnail").status_code == 404
    proof = filled.call("admin", "DELETE", "/v1/videos/1")
    assert proof.status_code == 200, proof.text
    assert proof.json()["erased"][0]["removed"]["previews"] == 2
    assert not any(path.exists() for path in kept)
    assert filled.get("/v1/videos/1").status_code == 404


def test_what_was_answered_about_a_video_is_forgotten_when_it_is_erased(empty, clip) -> None:
    key = {"Idempotency-Key": "mine"}
    made = empty.post("/v1/videos", params={"name": "private-name-7"}, content=clip, headers=key)
    assert empty.call("admin", "DELETE", made.headers["Location"]).status_code == 200
    held = b"".join(path.read_bytes() for path in empty.installation.home.glob("library.sqlite*"))
    assert b"private-name-7" not in held


@given(size=st.integers(0, 1000), text=st.from_regex(r"bytes=[0-9]{0,4}-[0-9]{0,4}", fullmatch=True))
def test_a_range_lies_within_the_file(size: int, text: str) -> None:
    span = parse_range(text, size)
    if span is not None and span[0] < span[1]:
        assert 0 <= span[0] < span[1] <= size


def test_a_file_below_a_folder_that_was_allowed_is_referred_to(empty, job, tmp_path: Path) -> None:
    from dataclasses import replace

    parts = empty.client.app.state.parts
    allowed = tmp_path / "archive"
    allowed.mkdir()
    (allowed / "song.mp4").write_bytes(job.clips["blue-high"].read_bytes())
    (allowed / "link.mp4").symlink_to(job.clips["green"])
    parts.settings = replace(parts.settings, media_folders=(allowed.resolve(),))
    made = empty.post("/v1/videos", json={"uri": (allowed / "song.mp4").as_uri()})
    assert made.status_code == 201, made.text
    assert empty.get(made.headers["Location"]).json()["stored"] is False
    assert empty.get(made.headers["Location"] + "/media").status_code == 200
    assert empty.post("/v1/videos", json={"uri": (allowed / "link.mp4").as_uri()}).status_code == 422
    assert empty.post("/v1/videos", json={"uri": f"{allowed.as_uri()}/../x.mp4"}).status_code == 422
