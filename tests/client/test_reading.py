"""Streams of events read line by line, files read as they are sent, addresses, and uploads that are remembered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tagtower.client.calls.events import EventReader
from tagtower.client.decoding import nothing
from tagtower.client.failures import AccessError, AnswerError, UnreachableError
from tagtower.client.memory import UploadMemory
from tagtower.client.retrying import Retry
from tagtower.client.steps import Ask, Fault, FilePart, Reply
from tagtower.client.transport import BrokenStreamError
from tagtower.errors import InputError

EVENT = {"id": 41, "at": "2030-01-01T12:00:04+00:00", "kind": "tag.added", "data": {"video": 12}}


def reader(last: int | None = None) -> EventReader:
    return EventReader(Retry(tries=1, first=0.0), "http://tags.example", last, ("tag.added",))


def test_events_are_read_line_by_line_and_gone_on_with() -> None:
    one = reader()
    assert "Last-Event-ID" not in one.ask().headers
    assert [one.take(line) for line in ("retry: 2000", "id: 40", "")] == [None, None, None]
    assert one.ask().headers["Last-Event-ID"] == "40", "also before the first event"
    text = json.dumps(EVENT)
    lines = (": still here", "", "id: 41", "event: tag.added", f"data: {text[:10]}", f"data:{text[10:]}", "")
    found = [event for line in lines if (event := one.take(line)) is not None]
    assert [(event.id, event.data) for event in found] == [(41, {"video": 12})]
    assert one.ask().headers["Last-Event-ID"] == "41"
    assert one.ask().query == {"kind": ("tag.added",)}


def test_an_event_that_broke_off_comes_again() -> None:
    one = reader(7)
    for line in ("id: 8", 'data: {"id": 8'):
        one.take(line)
    assert one.ask().headers["Last-Event-ID"] == "7"
    assert one.take("") is None


def test_what_is_no_event_is_told() -> None:
    one = reader()
    one.take("data: no json")
    with pytest.raises(AnswerError):
        one.take("")


def test_a_stream_that_breaks_is_asked_for_again_until_it_is_enough() -> None:
    one, gone = reader(), BrokenStreamError(Fault("gone", sent=True))
    assert one.pause(gone) == 0.0
    with pytest.raises(UnreachableError):
        one.pause(gone)
    one.take(": still here")
    assert one.pause(gone) == 0.0, "a line is a sign of life"
    with pytest.raises(AccessError):
        one.pause(BrokenStreamError(Reply(401)))


def test_a_part_of_a_file_is_read_as_it_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(range(200)) * 5000)
    told: list[int] = []
    part = FilePart(path, 1000, 600_000, told.append)
    assert b"".join(part.blocks()) == path.read_bytes()[1000:601_000]
    assert told[-1] == 601_000
    assert told == sorted(told)
    with pytest.raises(InputError, match="became shorter"):
        list(FilePart(path, 0, 2_000_000).blocks())
    with pytest.raises(InputError):
        list(FilePart(tmp_path / "missing", 0, 1).blocks())


@pytest.mark.parametrize("name", ["a/b", "..", ".", "a?b#c", "ü", "%2e%2e"])
def test_a_name_is_one_place_of_an_address(name: str) -> None:
    ask: Ask[None] = Ask("GET", "/v1/models/{name}/build", nothing, {"name": name})
    parts = ask.target.split("/")
    assert (len(parts), parts[:3], parts[-1]) == (5, ["", "v1", "models"], "build")
    assert parts[3] not in (".", "..")
    assert not set(parts[3]) & set("?#")


def test_a_query_leaves_out_what_is_not_given_and_repeats_what_is_several() -> None:
    ask: Ask[None] = Ask(
        "GET", "/", nothing, query={"tag": ("a", "b"), "words": None, "reviewed": False, "k": 3}
    )
    assert ask.pairs == [("tag", "a"), ("tag", "b"), ("reviewed", "false"), ("k", "3")]


def test_an_upload_is_remembered_by_server_and_content(tmp_path: Path) -> None:
    memory = UploadMemory(tmp_path / "m")
    memory.keep("http://a", "1" * 64, "first")
    memory.keep("http://b", "1" * 64, "second")
    assert memory.recall("http://a", "1" * 64) == "first"
    assert memory.recall("http://a", "2" * 64) is None
    memory.forget("http://a", "1" * 64)
    memory.forget("http://a", "1" * 64)
    assert memory.recall("http://a", "1" * 64) is None
    assert memory.recall("http://b", "1" * 64) == "second"


def test_a_memory_that_cannot_be_kept_or_read_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    memory = UploadMemory(tmp_path / "file" / "m")
    memory.keep("http://a", "1" * 64, "first")
    assert memory.recall("http://a", "1" * 64) is None
    memory.forget("http://a", "1" * 64)
    good = UploadMemory(tmp_path / "m")
    good.keep("http://a", "1" * 64, "first")
    (kept,) = (tmp_path / "m").iterdir()
    kept.write_text("[1, 2")
    assert good.recall("http://a", "1" * 64) is None
