"""`tagtower tags HOME feeds` and `topics` as typed."""

from __future__ import annotations

import json

import pytest

from tagtower.usecases.installation.home import init


@pytest.fixture
def tags(tagtower, tmp_path):
    """Runs a command that has to end with `code`, and gives what it printed."""
    init(tmp_path / "home", environment={})

    def run(*arguments, code=0):
        result = tagtower("tags", tmp_path / "home", *arguments)
        assert result.code == code, result.err
        return result

    return run


def eclipse(server, path="/feed"):
    return server.give(path, json.dumps([f"Total solar eclipse over town {n}" for n in "abcdefgh"]).encode())


def test_a_feed_is_added_polled_paused_resumed_and_removed(tags, server):
    added = tags(
        "feeds", "add", eclipse(server), "--allow-private", "--every", "1h", "--keep", "3d", "--json"
    ).json
    assert (added["id"], added["policy"], added["every_seconds"]) == (1, "quarantine", 3600)
    polled = tags("feeds", "poll", "--json").json["polled"]
    assert (polled[0]["entries"], polled[0]["error"], len(polled[0]["new_tags"])) == (8, None, 1)
    assert tags("feeds", "poll", "--json").json["polled"] == []
    assert tags("feeds", "pause", "1", "--json").json["state"] == "paused"
    assert tags("feeds", "resume", "#1", "--json").json["state"] == "active"
    assert server.url("/feed") in tags("feeds", "list").out
    tags("feeds", "remove", server.url("/feed"))
    assert tags("feeds", "list", "--json").json["feeds"] == []


def test_a_topic_waits_in_quarantine_until_it_is_approved(tags, server):
    tags("feeds", "add", eclipse(server), "--allow-private")
    tags("feeds", "poll", "1")
    waiting = tags("list", "--state", "quarantined", "--json").json["tags"]
    assert [tag["origin"] for tag in waiting] == ["feed:1"]
    assert tags("topics", "--json").json["tags"][0]["heat"] == pytest.approx(8, abs=0.1)
    assert waiting[0]["text"] in tags("topics").out
    tags("approve", f"#{waiting[0]['id']}")
    assert tags("list", "--state", "quarantined", "--json").json["tags"] == []


def test_topics_of_a_trusted_feed_are_active_at_once(tags, server):
    tags("feeds", "add", eclipse(server), "--allow-private", "--approve")
    tags("feeds", "poll")
    assert tags("list", "--state", "active", "--json").json["total"] == 1


def test_a_feed_that_fails_is_told_and_shown_with_its_error(tags, server):
    tags("feeds", "add", server.url("/none"), "--allow-private")
    assert "1 of 1 feeds failed" in tags("feeds", "poll", code=3).err
    assert "404" in tags("feeds", "list").out
    tags("feeds", "add", eclipse(server), "--allow-private")
    tags("feeds", "poll", code=0)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("add", "nowhere.csv"), 2),
        (("add", "ftp://example.com/"), 2),
        (("add", "https://example.com/", "--kind", "html"), 2),
        (("add", "https://example.com/", "--every", "often"), 2),
        (("add", "https://example.com/", "--every", "1s"), 2),
        (("poll", "7"), 3),
        (("pause", "https://example.com/"), 3),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)  # fmt: skip
def test_what_cannot_be_is_refused_with_what_to_do(tags, arguments, code):
    result = tags("feeds", *arguments, code=code)
    assert len(result.err.splitlines()) >= 2
