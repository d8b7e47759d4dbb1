"""`tagtower init`, `videos HOME` and `backup HOME` as typed: what they do, print and end with."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import update

from tagtower.library import schema
from tagtower.usecases.installation.home import open_installation

from ...library_rows import Rows


@pytest.fixture
def home(tagtower, tmp_path):
    assert tagtower("init", tmp_path / "home").code == 0
    return tmp_path / "home"


@pytest.fixture
def videos(tagtower, home):
    """Runs a command that has to end with `code`, and gives what it printed."""

    def run(*arguments, code=0):
        result = tagtower("videos", home, *arguments)
        assert result.code == code, result.err
        return result

    return run


def test_an_installation_is_made_once(tagtower, tmp_path) -> None:
    made = tagtower("init", tmp_path / "new", "--json")
    assert made.json["schema"] == 1
    assert len(made.json["installation"]) == 16
    again = tagtower("init", tmp_path / "new")
    assert again.code == 3
    assert "--upgrade" in again.err
    assert tagtower("init", tmp_path / "new", "--upgrade").code == 0
    assert tagtower("init", tmp_path / "none", "--upgrade").code == 2
    assert tagtower("videos", tmp_path / "none", "list").code == 2


def test_videos_are_handed_in_again_and_again(videos, job) -> None:
    first = videos("put", job.flawed, "--json", "--quiet", code=1)
    assert len(first.lines) == 13
    assert {line["schema"] for line in first.lines} == {1}
    refused = {line["name"]: line["error"]["type"] for line in first.lines if "error" in line}
    assert refused == {"damaged": "not-media", "missing": "missing"}
    assert "damaged.mp4" in first.err
    again = videos("put", job.flawed, code=1)
    assert (
        "0 new videos, 0 further names of videos that were there, 11 known, 0 changed, 2 refused" in again.err
    )
    assert videos("put", job.clips["missing"], code=3).out == ""
    videos("put", job.folder / "nothing.jsonl", code=3)


def test_a_page_leads_to_the_next(videos, job) -> None:
    videos("put", job.manifest)
    page = videos("list", "--limit", "4", "--json").json
    assert len(page["videos"]) == 4
    following = videos("list", "--limit", "4", "--cursor", page["next"], "--json").json
    assert following["videos"][0]["id"] == page["videos"][-1]["id"] - 1
    shown = videos("list", "--limit", "4")
    assert f"--cursor {page['next']}" in shown.err
    assert "unlabelled" in shown.out
    assert "cursor" in videos("list", "--owner", "ann", "--cursor", page["next"], code=2).err


def test_tags_are_judged_and_found(videos, job) -> None:
    videos("put", job.manifest)
    first, second = (one["id"] for one in videos("list", "--limit", "2", "--json").json["videos"])
    said = videos("verdict", "add", "--tag", "Solar eclipse", first, second, "--author", "ann", "--json").json
    assert [one["verdict"] for one in said["verdicts"]] == ["add", "add"]
    found = videos("find", "--tag", "solar  ECLIPSE", "--json").json["videos"]
    assert [one["id"] for one in found] == [first, second]
    assert found[0]["tags"][0]["tag"] == "Solar eclipse"
    assert "Solar eclipse" in videos("find", "--tag", "#1").out
    videos("verdict", "reject", "--tag", "solar eclipse", first)
    assert [one["id"] for one in videos("find", "--tag", "#1", "--json").json["videos"]] == [second]
    shown = videos("show", first, "--json").json
    assert shown["verdicts"][0]["verdict"] == "reject"
    assert "reject" in videos("show", first).out
    videos("verdict", "withdraw", "--tag", "solar eclipse", first)
    assert videos("show", first, "--json").json["verdicts"] == []


def test_verdicts_come_from_a_file(videos, job, tmp_path) -> None:
    videos("put", job.manifest)
    rows = [{"video": 1, "tag": "fox", "verdict": "add"}, {"video": 99, "tag": "fox", "verdict": "add"}]
    path = tmp_path / "words.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = videos("verdict", "--from", path, "--json", code=1)
    assert (len(result.json["verdicts"]), result.json["refused"]) == (1, 1)
    assert f"{path}:2" in result.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("verdict",),
        ("verdict", "maybe", "--tag", "x", "1"),
        ("verdict", "add", "1"),
        ("verdict", "add", "--tag", "x"),
        ("find",),
        ("list", "--shelf", "top"),
        ("list", "--since", "yesterday"),
        ("list", "--limit", "0"),
        ("find", "--words", "!!!"),
        ("erase",),
        ("erase", "1", "--owner", "ann"),
        ("put",),
        ("put", "x.mp4", "--titles", "guess"),
        ("export", "out.txt"),
        ("show", "0"),
    ],
)
def test_wrong_use_ends_with_two(videos, arguments) -> None:
    assert videos(*arguments, code=2).err


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "99"),
        ("find", "--tag", "nothing"),
        ("similar", "99"),
        ("erase", "99", "--yes"),
        ("erase", "--owner", "ann", "--yes"),
        ("verdict", "accept", "--tag", "nothing", "1"),
    ],
)
def test_what_is_not_there_ends_with_three(videos, arguments) -> None:
    assert videos(*arguments, code=3).err


def test_words_and_times_are_found(videos, job) -> None:
    videos("put", job.manifest)
    found = videos("find", "--words", "WALK par*", "--json").json["videos"]
    assert [one["title"] for one in found] == ["a walk in the park"]
    assert len(videos("list", "--since", "1h", "--json").json["videos"]) == 11
    assert videos("list", "--until", "2001-01-01", "--json").json["videos"] == []
    assert videos("find", "--words", "'; DROP TABLE videos; --", "--json").json["videos"] == []


def test_similar_videos_are_listed_with_their_distance(videos, home, job) -> None:
    import numpy as np

    from tagtower.library.vectors import vector_store

    videos("put", job.manifest)
    with open_installation(home) as installation:
        model = Rows(installation.database).model()
        with installation.database.write() as connection:
            vector_store(installation.database, installation.vectors).add(
                connection, model, [1, 2, 3], np.array([[1, 0, 0, 0], [0, 1, 0, 0], [1, 1, 0, 0]], np.float32)
            )
    found = videos("similar", 1, "--json").json["videos"]
    assert [one["id"] for one in found] == [3, 2]
    assert found[1]["distance"] == pytest.approx(1.0, abs=1e-6)
    assert "distance" in videos("similar", 1).out


def test_a_video_is_shown_for_a_person(videos, home, job) -> None:
    videos("put", job.clips["red-low"], "--title", "[bold]red[/bold]", "--owner", "ann")
    with open_installation(home) as installation:
        rows = Rows(installation.database)
        rows.suggest(1, rows.model(), rows.tag("fox [x]"), score=0.5)
    shown = videos("show", 1).out
    for text in ("[bold]red[/bold]", "64x48", "0:01", "sound", "ann: ", "fox [x]", "50%", "model"):
        assert text in shown
    assert "fox [x] 50%" in videos("list").out


def test_failed_videos_are_tried_again(videos, home, job) -> None:
    videos("put", job.manifest, "--quiet")
    with open_installation(home) as installation, installation.database.write() as connection:
        connection.execute(
            update(schema.videos).values(shelf="failed", error={"type": "timeout", "message": "late"})
        )
    assert "late" in videos("show", 1).out
    assert videos("retry", 1, 2, "--json").json["videos"] == 2
    assert videos("retry", "--type", "missing", "--json").json["videos"] == 0
    assert "9 videos" in videos("retry").out


def test_videos_are_exported(videos, job, tmp_path) -> None:
    videos("put", job.manifest, "--quiet")
    out = tmp_path / "out.jsonl"
    assert "11 videos" in videos("export", out).err
    assert len(out.read_text().splitlines()) == 11
    assert videos("export", out, "--overwrite", "--words", "walk", "--json").json["videos"] == 4
    videos("export", out, code=2)


def test_videos_are_erased_once_that_is_confirmed(videos, job, tagtower, home, monkeypatch) -> None:
    videos("put", job.manifest, "--quiet", "--owner", "ann")
    monkeypatch.setattr("typer.confirm", lambda *_, **__: (_ for _ in ()).throw(__import__("typer").Abort))
    assert tagtower("videos", home, "erase", "1").code == 130
    assert videos("show", 1).code == 0
    proof = videos("erase", 1, "--yes", "--json").json["erased"][0]
    assert (proof["video"], proof["whole"], proof["checked"]["left"]) == (1, True, 0)
    videos("show", 1, code=3)
    assert "nothing is left" in videos("erase", "--owner", "ann", "--yes").err
    assert videos("list", "--json").json["videos"] == []
    assert "Nothing was" in videos("erase", "--finish").err


def test_an_installation_is_backed_up_and_restored(videos, home, job, tagtower, tmp_path) -> None:
    videos("put", job.manifest, "--quiet")
    out = tmp_path / "backup"
    made = tagtower("backup", home, "create", out, "--with-media", "--json")
    assert (made.code, made.json["videos"], made.json["media"]) == (0, 11, 10)
    assert tagtower("backup", home, "create", out).code == 2
    assert tagtower("backup", home, "restore", out, "--check").code == 0
    new = tmp_path / "new"
    restored = tagtower("backup", new, "restore", out, "--json")
    assert (restored.code, restored.json["missing"]) == (0, 0)
    assert len(tagtower("videos", new, "list", "--json").json["videos"]) == 11
    assert tagtower("backup", new, "restore", out).code == 2
    bare = tagtower("backup", home, "create", tmp_path / "bare")
    assert "media are not in it" in bare.err
    assert tagtower("backup", tmp_path / "another", "restore", tmp_path / "bare").code == 1
    (out / "tables" / "videos.jsonl.gz").write_bytes(b"")
    assert tagtower("backup", tmp_path / "third", "restore", out).code == 3
    assert not (tmp_path / "third").exists()


def test_help_names_the_folder_and_the_commands(tagtower) -> None:
    listed = tagtower("videos", "--help").out
    for name in ("HOME", "put", "list", "find", "show", "similar", "verdict", "retry", "erase", "export"):
        assert name in listed
    assert "create" in tagtower("backup", "--help").out
