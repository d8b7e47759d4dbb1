"""Looking at the tag library and changing it over HTTP, and what the model says."""

from __future__ import annotations

import pytest


def add(served, text: str, **more):
    made = served.post("/v1/tags", "editor", json={"text": text, **more})
    assert made.status_code == 201, made.text
    return made.json()["tags"][0]["after"]["id"]


def texts(served, **params) -> list[str]:
    return [one["text"] for one in served.get("/v1/tags", params=params).json()["tags"]]


def test_a_tag_is_added_found_by_its_names_and_shown_with_its_history(empty) -> None:
    number = add(empty, "solar eclipse", aliases=["eclipse of the sun"], groups=["sky"], language="en")
    shown = empty.get(f"/v1/tags/{number}", "terminal")
    assert shown.json()["tag"]["aliases"] == ["eclipse of the sun"]
    assert shown.json()["changes"][0]["author"] == "editor"
    found = empty.get("/v1/tags/lookup", "terminal", params={"name": "ECLIPSE of the Sun"})
    assert found.json()["tag"]["id"] == number
    assert (
        empty.get(f"/v1/tags/{number}", headers={"If-None-Match": shown.headers["ETag"]}).status_code == 304
    )
    assert empty.get("/v1/tags/groups").json() == {"groups": [{"name": "sky", "tags": 1}]}
    assert texts(empty, search="clip") == ["solar eclipse"]
    assert texts(empty, group="sea") == []


def test_tags_are_listed_page_by_page(empty) -> None:
    for text in ("a", "b", "c"):
        add(empty, text)
    first = empty.get("/v1/tags", params={"limit": 2}).json()
    rest = empty.get("/v1/tags", params={"limit": 2, "cursor": first["next"]}).json()
    assert [one["text"] for one in first["tags"] + rest["tags"]] == ["a", "b", "c"]
    assert (first["total"], rest["next"]) == (3, None)


CHANGES = [
    ("POST", "/v1/tags", {"text": "new"}),
    ("POST", "/v1/tags/1/rename", {"text": "other"}),
    ("POST", "/v1/tags/1/aliases", {"add": ["another"]}),
    ("PUT", "/v1/tags/1/description", {"description": "what it is"}),
    ("PUT", "/v1/tags/1/expiry", {"expires": "2099-01-01T00:00:00Z"}),
    ("PUT", "/v1/tags/1/threshold", {"threshold": 0.5}),
    ("PUT", "/v1/tags/1/suggestable", {"suggestable": False}),
    ("POST", "/v1/tags/1/bar", {"videos": [1]}),
    ("POST", "/v1/tags/merge", {"sources": [1], "into": 2}),
    ("POST", "/v1/tags/retire", {"tags": [1, "two"]}),
    ("POST", "/v1/tags/groups", {"tags": [1], "add": ["sky"]}),
    ("POST", "/v1/tags/split", {"name": "uno"}),
]


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_every_change_can_be_tried_made_and_undone(empty, method: str, path: str, body: dict) -> None:
    add(empty, "one", aliases=["uno"])
    add(empty, "two")
    empty.post("/v1/videos", json={"title": "a walk", "name": "walk"})

    def library():
        return [
            {name: value for name, value in one.items() if name != "version"}
            for one in empty.get("/v1/tags", params={"order": "id"}).json()["tags"]
        ]

    before = library()
    tried = empty.call("editor", method, path, json=body, params={"dry_run": "true"})
    assert tried.status_code == 200, tried.text
    assert tried.json()["dry_run"] is True
    assert tried.json()["version"] is None
    assert library() == before
    made = empty.call("editor", method, path, json=body)
    assert made.status_code in (200, 201), made.text
    version = made.json()["version"]
    undone = empty.post(f"/v1/tags/changes/{version}/undo", "editor", json={})
    assert undone.status_code == 200, undone.text
    assert library() == before
    history = empty.get("/v1/tags/changes", "editor").json()["changes"]
    assert [one["undoes"] for one in history[:2]] == [version, None]
    assert empty.get(f"/v1/tags/changes/{version}", "editor").json()["undone_by"] == history[0]["version"]


def test_nobody_overwrites_what_he_has_not_seen(empty) -> None:
    number = add(empty, "one")
    seen = empty.get(f"/v1/tags/{number}").headers["ETag"]
    path, match = f"/v1/tags/{number}/rename", {"If-Match": seen}
    first = empty.post(path, json={"text": "first"}, headers=match)
    assert first.status_code == 200
    second = empty.post(path, json={"text": "second"}, headers=match)
    assert second.status_code == 409
    assert "after the version" in second.json()["detail"]
    assert (
        empty.post(path, json={"text": "x"}, headers={"If-Match": first.headers["ETag"]}).status_code == 200
    )
    assert empty.post(path, json={"text": "y"}, headers={"If-Match": "W/x"}).status_code == 400
    assert empty.post(path, json={"text": "y"}, headers={"If-Match": '"z"'}).status_code == 412


def test_a_retired_tag_comes_back(empty) -> None:
    add(empty, "one")
    empty.post("/v1/tags/retire", json={"tags": ["one"]})
    assert texts(empty, state="active") == []
    empty.post("/v1/tags/restore", json={"tags": ["one"]})
    assert texts(empty, state="active") == ["one"]
    add(empty, "new", state="quarantined")
    empty.post("/v1/tags/approve", json={"tags": ["new"]})
    assert texts(empty, state="quarantined") == []


def test_a_file_of_tags_is_imported_and_its_bad_rows_are_told(empty) -> None:
    tried = empty.post("/v1/tags/import", "editor", content=b"a\nb\n", params={"dry_run": "true"})
    assert (tried.status_code, tried.json()["made"]) == (200, 2)
    rows = b'{"tag": "red", "aliases": ["rouge"]}\nnot json\n'
    made = empty.post("/v1/tags/import", "editor", content=rows, params={"format": "jsonl"})
    assert made.status_code == 200, made.text
    assert (made.json()["made"], made.json()["problem_count"]) == (1, 1)
    assert made.json()["problems"][0]["where"].startswith("upload.jsonl")
    assert texts(empty) == ["red"]
    assert empty.post("/v1/tags/import", content=b"").status_code == 422
    assert list((empty.installation.home / "uploads").iterdir()) == []


def test_a_tag_is_added_once_under_a_key(empty) -> None:
    key = {"Idempotency-Key": "k"}
    first = empty.post("/v1/tags", json={"text": "one"}, headers=key)
    again = empty.post("/v1/tags", json={"text": "one"}, headers=key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert empty.post("/v1/tags", json={"text": "two"}, headers=key).status_code == 422
    assert empty.post("/v1/tags", json={"text": "one"}).status_code == 409


def test_titles_and_files_get_tags_and_nothing_of_them_is_kept(filled, job) -> None:
    held = {path.name for path in filled.installation.home.rglob("*")}
    found = filled.post("/v1/recommend", "terminal", json={"title": "music and a walk"}, params={"top_k": 3})
    assert found.status_code == 200, found.text
    assert [one["rank"] for one in found.json()["tags"]] == [1, 2, 3]
    clip = job.clips["blue-low"].read_bytes()
    params = {"title": "a walk", "filename": "x.mp4", "evidence": "true"}
    by_file = filled.post("/v1/recommend/file", "terminal", content=clip, params=params)
    assert by_file.status_code == 200, by_file.text
    assert set(by_file.json()["modalities"]) == {"image", "audio", "text"}
    assert "gates" in str(by_file.json()["tags"][0]["evidence"]) or by_file.json()["tags"][0]["evidence"]
    bad = filled.post("/v1/recommend/file", content=b"no media")
    assert bad.status_code == 422
    assert str(filled.installation.home) not in bad.text
    batch = filled.post("/v1/recommend/batch", json={"videos": [{"title": "music"}, {}]})
    assert batch.status_code == 200, batch.text
    assert "tags" in batch.json()["videos"][0]
    assert "error" in batch.json()["videos"][1]
    assert len(filled.get("/v1/videos").json()["videos"]) == 3
    new = {path.name for path in filled.installation.home.rglob("*")} - held
    assert {name for name in new if "sqlite" not in name} <= {"uploads"}


def test_a_new_tag_is_recommended_at_once_and_a_preview_tells_whom_it_would_hit(filled) -> None:
    tried = filled.post("/v1/tags/preview", "editor", json={"text": "a walk in the park"})
    assert tried.status_code == 200, tried.text
    assert tried.json()["videos"] == 3
    filled.post("/v1/tags", json={"text": "a walk in the park"})
    found = filled.post("/v1/recommend", json={"title": "a walk in the park"}, params={"top_k": 100}).json()
    assert "a walk in the park" in [one["tag"] for one in found["tags"]]
    assert found["library"] == filled.get("/v1/tags").json()["version"]


def test_without_a_model_nothing_is_recommended(empty) -> None:
    answer = empty.post("/v1/recommend", json={"title": "a walk"})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:tagtower:problem:conflict")
    assert "tagtower models" in answer.json()["hint"]


def test_models_are_listed_and_an_active_one_is_not_promoted(filled) -> None:
    (model,) = filled.get("/v1/models", "editor").json()["models"]
    assert (model["state"], model["labelled"]) == ("active", 3)
    assert filled.get("/v1/models/first", "editor").json() == model
    assert filled.post("/v1/models/first/promote", json={}).status_code == 409
    assert filled.post("/v1/models/roll-back", json={}).status_code == 409
    assert filled.post("/v1/models/first/build", json={"again": True}).status_code == 409
    same = filled.get("/v1/models/compare", "editor", params={"first": "first", "second": "first"})
    assert same.json()["overlap"] == 1.0
    assert filled.get("/v1/models/none", "editor").status_code == 404
    assert filled.get("/readyz", None).json() == {"status": "ready", "database": True, "model": True}


def test_a_tag_is_a_feed_of_its_videos(filled) -> None:
    from xml.etree import ElementTree

    filled.post("/v1/videos/1/verdicts", json={"verdicts": [{"tag": "red", "verdict": "add"}]})
    number = filled.get("/v1/tags/lookup", params={"name": "red"}).json()["tag"]["id"]
    items = filled.get(f"/v1/tags/{number}/feed.json", "terminal").json()["items"]
    assert "1" in [one["id"] for one in items]
    feed = ElementTree.fromstring(filled.get(f"/v1/tags/{number}/feed.atom", "terminal").text)
    atom = "{http://www.w3.org/2005/Atom}"
    assert len(feed.findall(f"{atom}entry")) == len(items)
    assert filled.get("/v1/tags/999/feed.atom").status_code == 404
