"""The ledger balances while everything is in order, and names each thing that is not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, select, text, update

from tagtower.config.installation import InstallationSettings
from tagtower.library import schema
from tagtower.library.database import Database
from tagtower.library.shelves import take
from tagtower.library.verdicts import give_verdict
from tagtower.library.videos.shown import members_of
from tagtower.records import Example, Video
from tagtower.storage.media_store import media_store
from tagtower.usecases.installation import curate, models
from tagtower.usecases.installation.curate import Editing
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.intake import PutSettings, put_videos
from tagtower.usecases.installation.ledger import Checked, check_ledger
from tagtower.usecases.installation.worker import run_worker

from .conftest import Clock

MARIA = Editing("maria")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def prepared(request, databases, tmp_path_factory, trained, job) -> Iterator[Installation]:
    """Three labelled videos, one of them with media, one unlabelled video, and a verdict; to be copied."""
    folder = tmp_path_factory.mktemp("prepared")
    with databases.new(request.param, folder, like=databases.migrated(request.param)) as database:
        media = media_store(folder / "media")
        made = Installation(folder, "0" * 16, InstallationSettings(), database, media, Clock())
        models.add(made, trained, "first")
        for tag in ("red", "green", "low"):
            curate.add(made, MARIA, tag)
        examples = [Example(Video(name, None, f"a walk {name}")) for name in "ab"]
        examples.append(Example(Video("red", str(job.clips["red"]), "music")))
        list(put_videos(made, examples, PutSettings()))
        assert run_worker(made, once=True, threads=1).labelled == 3
        list(put_videos(made, [Example(Video("c", None, "a walk c"))], PutSettings()))
        with database.write() as connection:
            red = members_of(connection, "red")
            give_verdict(connection, 1, red, "accept", author="maria", at=made.clock())
        yield made


@pytest.fixture
def database(prepared, databases, tmp_path) -> Iterator[Database]:
    shutil.copytree(prepared.home, tmp_path, dirs_exist_ok=True)
    with databases.new(prepared.database.dialect, tmp_path, like=prepared.database) as copy:
        yield copy


@pytest.fixture
def home(installation) -> Installation:
    return installation


def found(installation: Installation, **more) -> dict[str, int]:
    return {one.kind: one.count for one in check_ledger(installation, **more).ledger.findings}


def do(installation: Installation, statement) -> None:
    with installation.database.write() as connection:
        connection.execute(statement)


def test_it_balances_while_everything_is_in_order(home):
    checked = check_ledger(home, media=True)
    assert checked.ledger.balances
    shown = checked.to_json()
    assert shown["videos"] == shown["references"] == 4
    assert (shown["shelves"]["labelled"], shown["shelves"]["unlabelled"]) == (3, 1)
    assert (shown["suggestions"], shown["verdicts"], shown["model"]) == (9, 1, "first")
    assert shown["findings"] == []


def test_a_lease_in_time_or_just_run_out_is_in_order(home, clock):
    with home.database.write() as connection:
        take(connection, "one", 8, now=clock(), rules=home.settings.worker)
    assert found(home) == {}
    clock.move(seconds=home.settings.worker.lease_seconds + 60)
    assert found(home) == {}


def test_leases_of_workers_that_are_gone_are_found_and_ended(home, clock):
    with home.database.write() as connection:
        take(connection, "one", 8, now=clock(), rules=home.settings.worker)
    clock.move(hours=5)
    assert found(home) == {"lease": 1}
    checked = check_ledger(home, repair=True)
    assert checked.ledger.balances
    assert checked.mended == {"lease": 1}
    assert checked.ledger.shelves.leased == 0


def test_a_lease_out_of_a_clock_that_was_set_back_is_found(home, clock):
    with home.database.write() as connection:
        take(connection, "one", 8, now=clock() + timedelta(days=1), rules=home.settings.worker)
    assert found(home) == {"lease": 1}


def test_labelled_videos_without_vector_or_answer_are_found_and_labelled_anew(home):
    do(home, delete(schema.vectors).where(schema.vectors.c.video_id == 1))
    do(home, delete(schema.answers).where(schema.answers.c.video_id == 2))
    assert found(home) == {"vector": 1, "answer": 1}
    assert check_ledger(home, repair=True).mended == {"vector": 1, "answer": 1}
    assert found(home) == {}
    assert run_worker(home, once=True, threads=1).labelled == 3
    assert check_ledger(home).ledger.shelves.labelled == 4


def test_a_video_that_the_model_gave_up_on_is_in_order(home):
    do(home, delete(schema.vectors).where(schema.vectors.c.video_id == 1))
    do(home, insert(schema.builds).values(model_id=1, video_id=1, attempts=home.settings.worker.attempts))
    assert found(home) == {}


def test_doubled_ranks_are_found(home):
    do(home, update(schema.suggestions).where(schema.suggestions.c.video_id == 1).values(rank=1))
    checked = check_ledger(home)
    assert [(one.kind, one.count) for one in checked.ledger.findings] == [("rank", 1)]
    assert checked.ledger.findings[0].examples == ("1 1 model",)


def test_a_video_without_a_reference_is_found(home):
    do(home, delete(schema.video_references).where(schema.video_references.c.video_id == 2))
    assert found(home) == {"nameless": 1}


def test_rows_without_their_video_or_tag_are_found(sqlite_installation, trained):
    """Foreign keys forbid them; a database that was restored by hand may hold them all the same."""
    home = sqlite_installation
    models.add(home, trained, "first")
    curate.add(home, MARIA, "red")
    list(put_videos(home, [Example(Video("a", None, "a walk"))], PutSettings()))
    run_worker(home, once=True, threads=1)
    with home.database.write() as connection:
        give_verdict(connection, 1, members_of(connection, "red"), "reject", author="m", at=home.clock())
    assert found(home) == {}
    with home.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
    with home.database.engine.connect() as connection:
        raw = connection.connection.driver_connection
        raw.execute("PRAGMA foreign_keys=OFF")
        raw.execute("BEGIN IMMEDIATE")
        raw.execute("DELETE FROM videos")
        raw.execute("COMMIT")
        raw.execute("PRAGMA foreign_keys=ON")
    assert found(home) == {"reference": 1, "suggestion": 1, "verdict": 1, "unlabelled-vector": 1}


def test_media_that_are_gone_are_found(home):
    with home.database.read() as connection:
        key = connection.scalar(select(schema.videos.c.media).where(schema.videos.c.stored))
    home.media.remove(key)
    assert found(home) == {}
    assert found(home, media=True) == {"media": 1}
    assert found(home, media=True, repair=True, wait=lambda seconds: None) == {"media": 1}


def test_media_of_no_video_are_found_and_removed(home, tmp_path, job):
    home.media.put(job.clips["low"], ".m4a")
    assert found(home, media=True) == {"orphan": 1}
    checked = check_ledger(home, media=True, repair=True, wait=lambda seconds: None)
    assert checked.mended == {"orphan": 1}
    assert checked.ledger.balances
    assert len(list(home.media.keys())) == 1


def test_media_whose_video_comes_in_meanwhile_are_kept(home, job):
    home.media.put(job.clips["low"], ".m4a")

    def arrive(seconds: float) -> None:
        list(put_videos(home, [Example(Video("low", str(job.clips["low"])))], PutSettings()))

    checked = check_ledger(home, media=True, repair=True, wait=arrive)
    assert checked.mended == {}
    assert checked.ledger.balances
    assert len(list(home.media.keys())) == 2


def test_without_a_model_the_shelves_are_counted_alone(sqlite_installation):
    list(put_videos(sqlite_installation, [Example(Video("a", None, "a walk"))], PutSettings()))
    checked = check_ledger(sqlite_installation)
    assert isinstance(checked, Checked)
    assert (checked.ledger.balances, checked.ledger.model) == (True, None)
    with sqlite_installation.database.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM videos")) == 1
