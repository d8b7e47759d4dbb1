"""The pages of the tag library: every change, its preview and its undo."""

from __future__ import annotations

import re

import pytest

from tagtower.usecases.installation.tag_pages import show_tag


def undo_latest(browser, answer) -> str:
    version = re.search(r'name="version" value="(\d+)"><button data-undo>', answer.text)[1]
    return browser.post("/tags/undo", version=version).text


def test_a_new_tag_shows_what_it_would_hit_before_it_is_added(filled, browse):
    browser = browse()
    text = browser.part("/tags/preview?text=sunset&threshold=30").text
    assert re.search(r"<strong[^>]*>2</strong> of 3 stored videos fit", text)
    assert "30 %" in text
    assert "/v1/videos/1/strip" in text
    assert "<script>" not in text
    assert "sunset" not in browser.get("/tags").text


def test_a_tag_that_hits_nothing_says_so(filled, browse):
    browser = browse()
    browser.model.hits = 0
    assert "None of 3 stored videos fits" in browser.part("/tags/preview?text=sunset").text


def test_a_tag_is_added_with_all_that_is_said_of_it(filled, browse):
    answer = browse().post(
        "/tags/add", text="sunset", aliases="dusk, dawn", threshold="40", expires="2040-01-31"
    )
    assert answer.url.path.startswith("/tags/")
    record = show_tag(filled, "sunset").line.record
    assert record.aliases == ("dusk", "dawn")
    assert record.threshold == 0.4
    assert record.expires_at.date().isoformat() == "2040-01-31"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"text": "red"}, "red"),
        ({"text": "  "}, "can be no tag"),
        ({"text": "new", "threshold": "140"}, "no share"),
        ({"text": "new", "threshold": "many"}, "no share"),
        ({"text": "new", "expires": "soon"}, "no date"),
    ],
)
def test_what_can_be_no_tag_is_said_on_the_page_it_came_from(fields, said, filled, browse):
    answer = browse().post("/tags/add", **fields)
    assert answer.url.path == "/tags"
    assert 'role="alert"' in answer.text
    assert said in answer.text


def test_two_tags_are_merged_and_the_merge_is_undone(filled, browse):
    browser = browse()
    answer = browser.post("/tags/merge", tag="#2", into="red")
    assert show_tag(filled, "#2").line.record.state == "merged"
    undo_latest(browser, answer)
    assert show_tag(filled, "#2").line.record.state == "active"


@pytest.mark.parametrize(
    ("fields", "field", "expected"),
    [
        ({"what": "rename", "text": "crimson", "keep": "on"}, "text", "crimson"),
        ({"what": "alias", "aliases": "rouge"}, "aliases", ("red too", "rouge")),
        ({"what": "unalias", "name": "red too"}, "aliases", ()),
        ({"what": "split", "name": "red too"}, "aliases", ()),
        ({"what": "threshold", "threshold": "12.5"}, "threshold", 0.125),
        ({"what": "threshold", "threshold": ""}, "threshold", None),
        ({"what": "suggest", "suggest": "no"}, "suggestable", False),
        ({"what": "describe", "description": "a colour", "language": "en"}, "description", "a colour"),
        ({"what": "retire"}, "state", "retired"),
        ({"what": "merge", "into": "siren"}, "state", "merged"),
    ],
)
def test_a_tag_is_changed_and_changed_back(fields, field, expected, filled, browse):
    browser = browse()
    before = show_tag(filled, "#1").line.record
    browser.get("/tags/1")
    answer = browser.post("/tags/1", **fields)
    after = show_tag(filled, "#1").line.record
    found = getattr(after, field)
    assert (found if field != "aliases" else tuple(one for one in found if one != before.text)) == expected
    if before != after:
        undo_latest(browser, answer)
        assert show_tag(filled, "#1").line.record == before


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(filled, browse):
    browser = browse()
    seen = show_tag(filled, "#1").version
    browser.post("/tags/1", what="rename", text="crimson")
    answer = browser.post("/tags/1", what="rename", text="scarlet", version=str(seen))
    assert 'role="alert"' in answer.text
    assert show_tag(filled, "#1").line.record.text == "crimson"


def test_a_change_that_there_is_not_is_refused(filled, browse):
    assert "There is no such change." in browse().post("/tags/1", what="explode").text


def test_a_retired_tag_is_restored(filled, browse):
    browser = browse()
    browser.post("/tags/retire", tag=["#1", "#2"])
    assert show_tag(filled, "#2").line.record.state == "retired"
    browser.post("/tags/2", what="restore")
    assert show_tag(filled, "#2").line.record.state == "active"


def test_tags_are_searched_by_every_name(filled, browse):
    text = browse().get("/tags?search=siren+TOO").text
    assert 'href="/tags/2"' in text
    assert 'href="/tags/1"' not in text


def test_the_list_says_how_often_a_tag_was_accepted(filled, browse):
    browser = browse()
    browser.post("/review/1/verdict", part=True, tag="#1", verdict="accept")
    browser.post("/review/2/verdict", part=True, tag="#1", verdict="reject")
    assert "50 %" in browser.get("/tags?search=red").text


@pytest.mark.parametrize(("decision", "state"), [("approve", "active"), ("dismiss", "retired")])
def test_a_topic_is_decided_on_and_the_decision_undone(decision, state, filled, browse):
    browser = browse()
    browser.get("/topics")
    answer = browser.post("/topics/decide", decision=decision, tag="#4")
    assert show_tag(filled, "#4").line.record.state == state
    undo_latest(browser, answer)
    assert show_tag(filled, "#4").line.record.state == "quarantined"
