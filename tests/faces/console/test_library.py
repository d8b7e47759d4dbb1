"""The library page: searching, and changing many videos at once."""

from __future__ import annotations

import pytest
from tests.faces.console.conftest import HOST
from tests.faces.console.test_review import standings

from tagtower.errors import NotFoundError
from tagtower.usecases.installation.find import show_video


@pytest.mark.parametrize(
    ("query", "shown", "hidden"),
    [
        ("words=walk", ["/videos/2"], ["/videos/1"]),
        ("tag=siren", ["/videos/1"], ["/videos/2"]),
        ("tag=%231", ["/videos/1", "/videos/2"], ["/videos/3"]),
        ("shelf=failed", ["/videos/4"], ["/videos/1"]),
        ("shelf=unlabelled", ["/videos/3"], ["/videos/1"]),
        ("reviewed=yes", [], ["/videos/1"]),
    ],
)
def test_videos_are_found(query, shown, hidden, filled, browse):
    text = browse().get(f"/library?{query}").text
    assert all(f'href="{one}"' in text for one in shown)
    assert not any(f'href="{one}"' in text for one in hidden)


@pytest.mark.parametrize("query", ["tag=nosuch", "words=%21%21", "similar=99", "cursor=nonsense"])
def test_a_search_that_cannot_be_says_why(query, filled, browse):
    answer = browse().get(f"/library?{query}")
    assert answer.status_code == 200
    assert 'role="alert"' in answer.text


def test_a_video_that_waits_is_shown_anew_when_it_is_labelled(look):
    waiting = look("admin").part("/library/tile/3").text
    assert 'data-live="video.labelled video.failed" data-video="3" hx-get="/library/tile/3"' in waiting
    assert "hx-get" not in look("admin").part("/library/tile/1").text


def test_a_tag_is_accepted_on_many_videos_at_once(filled, browse):
    answer = browse().post("/library/bulk", action="accept", tag="siren", video=["1", "2"])
    assert "accepted on 2 videos" in answer.text
    assert (standings(filled, 1)["siren"], standings(filled, 2)["siren"]) == ("accepted", "added")


def test_erasing_asks_first(filled, browse):
    browser = browse("admin")
    asked = browser.post("/library/bulk", action="erase", video=["1", "2"])
    assert "Erase 2 videos for good?" in asked.text
    assert show_video(filled, 1).video.id == 1
    browser.post("/library/bulk", action="erase", video=["1", "2"], confirmed="true")
    with pytest.raises(NotFoundError):
        show_video(filled, 1)
    assert "Erased" in browser.get("/health").text


def test_nothing_happens_where_no_video_or_no_tag_is_named(filled, browse):
    browser = browse()
    assert "No video was chosen." in browser.post("/library/bulk", action="reject", tag="red").text
    assert "No tag was named." in browser.post("/library/bulk", action="reject", video="1").text
    assert set(standings(filled, 1).values()) == {"open"}


def test_erasing_takes_the_same_role_as_the_api_asks_for(filled, browse):
    editor, admin = browse("editor"), browse("admin")
    for page in ("/library", "/videos/1"):
        assert 'value="erase"' not in editor.get(page).text
        assert 'value="erase"' in admin.get(page).text
    for more in ({}, {"confirmed": "true"}):
        refused = editor.post("/library/bulk", action="erase", video="1", **more)
        assert refused.status_code == 403
        assert "role admin" in refused.text
    headers = {"Origin": HOST, "X-CSRF-Token": editor.token}
    assert editor.client.delete("/v1/videos/1", headers=headers).status_code == 403
    assert show_video(filled, 1).video.id == 1
