"""The stream that tells pages what changed, and what on the pages waits for it."""

from __future__ import annotations

import asyncio
import json
import re
from types import SimpleNamespace

import pytest

from tagtower.faces.console.files import contents
from tagtower.faces.console.pages.live import Pulses, changes
from tagtower.library.events import KINDS
from tagtower.usecases.installation import curate, events, feeds, models, webhooks
from tagtower.usecases.installation.pulse import take_pulse
from tagtower.usecases.installation.retry import retry


def told(installation, *acts, after: int = 0) -> list[dict]:
    """What a stream tells while something is done at each of its looks."""
    parts = SimpleNamespace(installation=installation, streams=0, stopping=asyncio.Event())
    pulses = SimpleNamespace(latest=take_pulse)  # at every look
    left = list(acts)

    async def gone() -> bool:
        if not left:
            return True
        left.pop(0)()
        return False

    async def read() -> list[str]:
        return [line async for line in changes(parts, pulses, gone, after)]

    lines = asyncio.run(read())
    assert parts.streams == 0
    assert lines[0].startswith("retry:")
    return [json.loads(re.search("data: (.*)", line)[1]) for line in lines[1:]]


@pytest.mark.parametrize(
    ("act", "parts"),
    [
        (lambda at: retry(at), {"health"}),
        (lambda at: models.promote(at, "second"), {"models", "sweeps"}),
        (lambda at: feeds.pause_feed(at, "#1"), {"feeds"}),
        (lambda at: webhooks.add(at, "https://news.example/"), {"webhooks"}),
        (lambda at: curate.approve(at, curate.Editing("Ada"), ["#4"]), {"topics", "sweeps"}),
        (lambda at: None, set()),
    ],
)
def test_a_stream_tells_which_part_changed(act, parts, filled):
    found = told(filled, lambda: act(filled), after=events.last(filled))
    assert {one["kind"] for one in found} - set(KINDS) == parts


def test_a_stream_tells_events_with_their_video_and_goes_on_after_the_last(filled):
    end = events.last(filled)
    found = told(filled, lambda: curate.add(filled, curate.Editing("Ada"), "sunset"), after=end)
    assert {"kind": "tag.added", "video": None} in found
    assert told(filled, after=events.last(filled)) == []


def test_a_pulse_is_taken_once_for_all_who_watch(filled, monkeypatch):
    pulses = Pulses()
    first = pulses.latest(filled)
    retry(filled)
    assert pulses.latest(filled) is first


def test_every_part_of_a_page_waits_for_something_that_is_told(look):
    known = {*KINDS, *take_pulse(look("admin").client.app.state.parts.installation)}
    waiting = set()
    for page in ("/health", "/models", "/topics", "/webhooks", "/library"):
        text = look("admin").get(page).text
        for element in re.findall(r"<[^>]*data-live=[^>]*>", text):
            waiting.add(page)
            assert set(re.search(r'data-live="([^"]*)"', element)[1].split()) <= known, page
            assert "hx-get=" in element
            assert 'hx-trigger="live"' in element
    assert waiting == {"/health", "/models", "/topics", "/webhooks", "/library"}


def test_no_page_asks_again_and_again_by_itself(look):
    for page in ("/health", "/models", "/topics", "/library", "/review"):
        assert "every " not in " ".join(re.findall(r'hx-trigger="([^"]*)"', look("admin").get(page).text))
    assert b"EventSource" in contents()["live.js"]
