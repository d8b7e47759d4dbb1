"""`tagtower models HOME` as typed: add, build, compare, promote, roll back, remove; and what is printed of it."""

from __future__ import annotations

import shutil

import pytest
from sqlalchemy import insert

from tagtower.library.schema import videos
from tagtower.usecases.installation import curate
from tagtower.usecases.installation.curate import Editing
from tagtower.usecases.installation.home import init, open_installation


@pytest.fixture
def home(tmp_path):
    init(tmp_path / "home", environment={})
    return tmp_path / "home"


@pytest.fixture
def run(tagtower, home):
    """Runs a command that has to succeed, and gives what it printed."""

    def run(*arguments, code=0):
        result = tagtower("models", home, *arguments)
        assert result.code == code, result.err
        return result

    return run


def label(home, *titles: str) -> None:
    with open_installation(home, environment={}) as installation:
        at = installation.clock()
        rows = [{"title": title, "added_at": at, "shelf": "labelled", "shelved_at": at} for title in titles]
        with installation.database.write() as connection:
            connection.execute(insert(videos), rows)


@pytest.fixture
def second(trained, job, tmp_path):
    """The folder of another model: as `trained`, with more that ranks, so that its vectors are the same."""
    from tagtower.towers import build_two_tower, save_model

    folder = tmp_path / "second"
    save_model(
        folder, build_two_tower(job.settings("fusion.width=8"), ["a walk"], ["red"]), ["red"], {}, "a card"
    )
    return folder


def test_a_model_goes_from_its_folder_to_active_and_back(run, home, trained, second):
    assert "no model yet" in run("list").err
    assert run("add", trained, "--name", "first").out == "first is active.\n"
    with open_installation(home, environment={}) as installation:
        curate.add(installation, Editing("ada"), "red")
    label(home, "a walk", "a song")
    assert "has 2 videos to see" in run("add", second).out
    shutil.rmtree(second)
    assert "has not seen 2 of 2 labelled videos" in run("promote", "second", code=3).err
    assert run("build", "second", "--threads", 1, "--quiet").out == "second is ready: 2 of 2 videos seen\n"
    listed = run("list", "--json").json
    assert listed["schema"] == 1
    assert [(one["name"], one["state"], one["built"]) for one in listed["models"]] == [
        ("first", "active", 0),
        ("second", "ready", 2),
    ]
    assert "2 of 2" in run("list").out
    compared = run("compare", "first", "second", "--json").json
    assert (compared["sample"], compared["models"][1]["built"]) == (0, 2)
    assert "Verdicts on 0 videos" in run("compare", "first", "second").out
    promoted = run("promote", "second")
    assert promoted.out == "second is active in place of first.\n"
    assert "rollback" in promoted.err
    assert "has not seen 2 of 2" in run("rollback", code=3).err
    back = run("rollback", "--force")
    assert back.out == "first is active in place of second.\n"
    assert "2 labelled videos show no suggestions" in back.err
    assert "is active" in run("remove", "first", code=3).err
    assert run("remove", "second").out == "second is removed.\n"
    assert "There is no model 'second'" in run("show", "second", code=3).err
    shown = run("show", "first", "--json").json
    assert shown["metrics"]
    assert "vector fingerprint" in run("show", "first").out


def test_a_build_that_leaves_videos_ends_with_one(run, home, trained, second):
    run("add", trained)
    label(home, "a walk")
    with open_installation(home, environment={}) as installation, installation.database.write() as connection:
        connection.execute(videos.update().values(title=None))
    run("add", second)
    assert run("build", "second", "--leave-to-workers").code == 0
    failed = run("build", "second", "--quiet", "--json", code=1)
    assert (failed.json["failed"], failed.json["state"]) == (1, "building")
    assert "video 1" in failed.err


def test_what_is_no_model_is_refused(run, tmp_path):
    assert "no such model folder" in run("add", tmp_path / "nowhere", code=3).err


def test_a_tag_is_previewed_and_swept(run, tagtower, home, trained):
    with (home / "installation.toml").open("a") as file:
        file.write("[suggestions]\nmax_distance = 2.0\n")
    label(home, "a walk", "a song")
    run("add", trained)
    run("build", "model", "--threads", 1, "--quiet")
    run("promote", "model")
    found = tagtower("tags", home, "preview", "eclipse", "--threads", 1)
    assert found.out.startswith("'eclipse' would hit 2 of 2 videos.")
    assert "a song" in found.out
    with open_installation(home, environment={}) as installation:
        curate.add(installation, Editing("ada"), "eclipse")
    found = tagtower("tags", home, "preview", "Eclipse", "--json", "--threads", 1)
    assert '"taken": "eclipse"' in found.out
    found = tagtower("tags", home, "sweep", "--threads", 1)
    assert found.out == "eclipse: fits 2 videos, newly suggested on 2\n"
    found = tagtower("tags", home, "sweep", "--threads", 1)
    assert (found.out, found.err) == ("", "No sweep was asked for.\n")
    found = tagtower("tags", home, "sweep", "ECLIPSE", "--json", "--threads", 1)
    assert '"suggested": 0' in found.out
