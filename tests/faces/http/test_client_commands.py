"""`tagtower client` as typed, against a listening server: what it prints and ends with."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tagtower.client import Client, UploadMemory
from tagtower.faces.cli.main import main


@pytest.fixture
def run(live, monkeypatch, capsys) -> Any:
    """Runs a command that has to end with `code`; gives what it wrote to stdout and to stderr."""
    monkeypatch.setenv("TAGTOWER_SERVER", live.url)
    monkeypatch.setenv("TAGTOWER_KEY", live.keys["terminal"])

    def typed(*arguments: object, code: int = 0) -> tuple[str, str]:
        capsys.readouterr()
        ended = main(["client", *(str(one) for one in arguments)])
        out, err = capsys.readouterr()
        assert ended == code, err
        return out, err

    return typed


def test_a_video_is_sent_found_shown_and_played(run, live, job, tmp_path) -> None:
    clip = job.clips["red-low"]  # the server has it, and it is labelled
    sent = json.loads(run("send", clip, "--json")[0])
    assert (sent["outcome"], sent["schema"]) == ("joined", 1)
    out, _ = run("send", clip, "--wait")
    assert out.startswith(f"{clip}: video {sent['id']}: ")
    assert len(out) > len(f"{clip}: video {sent['id']}: \n")
    with Client(live.url, live.keys["terminal"]) as client:
        client.videos.put(title="[bold] a walk at the sea", name="words")
    out, err = run("ask", "--words", "sea")
    assert "[bold] a walk at the sea" in out
    assert err.endswith("1 videos\n")
    page = json.loads(run("ask", "--limit", "2", "--json")[0])
    assert len(page["videos"]) == 2
    assert page["next"] in run("ask", "--limit", "2")[1]
    assert json.loads(run("ask", "--similar", sent["id"], "--json")[0])["videos"][0]["distance"] >= 0
    shown = json.loads(run("show", sent["id"], "--json")[0])
    assert {one["owner"] for one in shown["references"]} == {"newsroom", "terminal"}
    assert "labelled since" in run("show", sent["id"])[0]
    copy = tmp_path / "copy.mp4"
    run("play", sent["id"], "-o", copy)
    assert copy.read_bytes() == clip.read_bytes()
    _, err = run("play", sent["id"], "-o", copy, code=2)
    assert "--overwrite" in err


def test_some_that_fail_stop_no_others(run, job) -> None:
    out, err = run("send", job.clips["damaged"], job.clips["red"], job.clips["missing"], code=1)
    assert len(out.splitlines()) == 1
    assert "damaged.mp4" in err
    assert "missing.mp4" in err
    run("send", job.clips["damaged"], code=3)
    run("send", job.clips["red"], job.clips["green"], "--title", "x", code=2)
    run("show", 99_999, code=3)


def test_tags_are_asked_for(run, job) -> None:
    out, _ = run("recommend", "--title", "music", "--top-k", "2", "--json")
    assert len(json.loads(out)["tags"]) == 2
    out, _ = run("recommend", job.clips["green"], job.clips["damaged"], code=1)
    assert out.startswith(f"{job.clips['green']}: ")
    run("recommend", code=2)


def test_the_key_comes_from_a_file_or_the_environment(run, live, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("TAGTOWER_KEY", "tt_wrong")
    _, err = run("ask", code=3)
    assert "tagtower keys HOME create" in err
    assert "tt_wrong" not in err
    (tmp_path / "key").write_text(live.keys["terminal"] + "\n")
    run("ask", "--key-file", tmp_path / "key")
    (tmp_path / "key").write_text("\n")
    run("ask", "--key-file", tmp_path / "key", code=2)
    run("ask", "--key-file", tmp_path / "none", code=2)
    run("ask", "--server", "no address", code=2)


def test_ctrl_c_says_how_to_go_on_and_sending_again_does(run, job, monkeypatch, tmp_path) -> None:
    from tagtower.client import transport

    monkeypatch.setenv("TAGTOWER_CACHE", str(tmp_path))
    clip = tmp_path / "large.mp4"
    clip.write_bytes(job.clips["red-high"].read_bytes() + b"\0\0\0\x10free" + bytes(8))
    original = transport.Driver._once

    def pressed(self, ask):
        if ask.method == "PATCH":
            raise KeyboardInterrupt
        return original(self, ask)

    monkeypatch.setattr(transport.Driver, "_once", pressed)
    _, err = run("send", clip, code=130)
    assert "goes on where it stopped" in err
    kept = list(UploadMemory.default()._folder.iterdir())
    assert len(kept) == 1
    monkeypatch.setattr(transport.Driver, "_once", original)
    out, _ = run("send", clip)
    assert "(new)" in out
    assert not kept[0].exists()
