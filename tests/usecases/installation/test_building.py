"""A model is built beside the active one, by any number of workers, whatever ends them; then it is ready."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from tagtower.errors import ConflictError
from tagtower.library.builds import take_builds
from tagtower.library.models import find_model
from tagtower.library.schema import answers, builds, suggestions, sweeps, tags, vectors, videos
from tagtower.usecases.installation import building, curate, models
from tagtower.usecases.installation.building import Builds, build
from tagtower.usecases.installation.chores import standard_chores
from tagtower.usecases.installation.curate import Editing
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.worker import run_worker

BY = Editing("ada")


def label(installation: Installation, *titles: str, media: Path | None = None) -> list[int]:
    """Put videos on the labelled shelf, with media where a file is given."""
    at = installation.clock()
    where = (
        {} if media is None else {"media": installation.media.put(media, media.suffix).key, "stored": True}
    )
    with installation.database.write() as connection:
        rows = [
            {"title": title, "added_at": at, "shelf": "labelled", "shelved_at": at, **where}
            for title in titles
        ]
        return list(connection.scalars(insert(videos).returning(videos.c.id), rows))


@pytest.fixture
def prepared(installation: Installation, trained: Path, others: list[Path]) -> Installation:
    """An installation with three tags, an active model, and a second one that is to be built."""
    installation.features.mkdir()
    for text in ("red", "green", "music"):
        curate.add(installation, BY, text)
    models.add(installation, trained)
    label(installation, "one")
    models.add(installation, others[0])
    return installation


def built(installation: Installation, name: str = "second") -> list[int]:
    with installation.database.read() as connection:
        model = find_model(connection, name)
        return list(
            connection.scalars(
                select(vectors.c.video_id).where(vectors.c.model_id == model.id).order_by(vectors.c.video_id)
            )
        )


def state(installation: Installation, name: str = "second") -> str:
    return models.status(installation, name)[0].model.state


def test_a_model_is_built_for_every_labelled_video_and_then_ready(prepared: Installation, job) -> None:
    ids = label(prepared, "a walk", "a song")
    ids += label(prepared, "the sea", media=job.clips["red-low"])
    status, report = build(prepared, "second", threads=1)
    assert (report.built, report.failed) == (4, 0)
    assert (status.coverage.built, status.coverage.missing, status.model.state) == (4, 0, "ready")
    assert built(prepared)[1:] == ids
    with prepared.database.read() as connection:
        model = find_model(connection, "second")
        assert (
            connection.scalar(select(func.count()).select_from(answers).where(answers.c.model_id == model.id))
            == 4
        )
        shown = connection.scalars(
            select(tags.c.text)
            .join(suggestions, suggestions.c.tag_id == tags.c.id)
            .where(suggestions.c.model_id == model.id, suggestions.c.video_id == ids[0])
        ).all()
        assert connection.scalar(select(func.count()).select_from(builds)) == 0
    assert sorted(shown) == ["green", "music", "red"]
    assert models.promote(prepared, "second").missing == 0


def test_a_build_that_was_killed_goes_on_where_it_was(prepared: Installation, clock, monkeypatch) -> None:
    ids = label(prepared, *(f"video {one}" for one in range(10)))
    steps = 0
    step = building.ModelBuilder.step

    def die(self) -> bool:
        nonlocal steps
        steps += 1
        if steps == 2:
            with prepared.database.write() as connection:
                model = find_model(connection, "second")
                rules = prepared.settings.worker
                taken = take_builds(
                    connection, model.id, "dead", 2, after=0, now=prepared.clock(), rules=rules
                )
                assert len(taken) == 2
            raise KeyboardInterrupt
        return step(self)

    with monkeypatch.context() as patch:
        patch.setattr(building.ModelBuilder, "step", die)
        with pytest.raises(KeyboardInterrupt):
            build(prepared, "second", threads=1)
    assert len(built(prepared)) == prepared.settings.worker.batch == 8
    status, report = build(prepared, "second", threads=1)
    assert (report.built, status.coverage.missing, status.model.state) == (1, 2, "building")
    clock.move(seconds=prepared.settings.worker.lease_seconds + 1)
    status, report = build(prepared, "second", threads=1)
    assert (report.built, status.model.state) == (2, "ready")
    assert built(prepared)[1:] == ids


def test_two_builders_share_the_work(prepared: Installation) -> None:
    label(prepared, *(f"video {one}" for one in range(20)))
    reports: list[building.BuildReport] = []

    def work() -> None:
        reports.append(build(prepared, "second", threads=1)[1])

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(report.built for report in reports) == len(built(prepared)) == 21


def test_a_video_that_the_model_cannot_look_at_keeps_it_from_being_ready(prepared: Installation, job) -> None:
    (bad,) = label(prepared, "", media=job.clips["damaged"])
    with prepared.database.write() as connection:
        connection.execute(videos.update().where(videos.c.id == bad).values(title=None))
    status, report = build(prepared, "second", threads=1)
    assert (report.built, report.failed, status.coverage.failed) == (1, 1, 1)
    assert "media file" in report.messages[bad]
    assert status.model.state == "building"
    with pytest.raises(ConflictError, match="1 failed"):
        models.promote(prepared, "second")
    assert build(prepared, "second", threads=1)[1].failed == 0
    models.rebuild(prepared, "second")
    with prepared.database.write() as connection:
        connection.execute(videos.update().where(videos.c.id == bad).values(title="a walk", media=None))
    assert build(prepared, "second", threads=1)[0].model.state == "ready"


def test_a_video_that_left_the_labelled_shelf_meanwhile_is_not_written(
    prepared: Installation, monkeypatch
) -> None:
    (video,) = label(prepared, "a walk")
    finish = building.finish_builds

    def late(connection, *arguments):
        connection.execute(videos.update().where(videos.c.id == video).values(shelf="unlabelled"))
        return finish(connection, *arguments)

    monkeypatch.setattr(building, "finish_builds", late)
    build(prepared, "second", threads=1)
    assert video not in built(prepared)


def test_tags_that_come_during_a_build_are_known_to_all_its_videos(
    prepared: Installation, monkeypatch
) -> None:
    label(prepared, *(f"video {one}" for one in range(10)))
    write = building.ModelBuilder._write
    calls = 0

    def changing(self, labeller, token, seen) -> int:
        nonlocal calls
        calls += 1
        if calls == 2:
            curate.add(prepared, BY, "eclipse", threshold=0.0)
            answer = labeller.answer
            with monkeypatch.context() as patch:  # and once more between answer and writing
                done: list[bool] = []

                def slow(*arguments):
                    found = answer(*arguments)
                    if not done:
                        done.append(True)
                        curate.add(prepared, BY, "comet", threshold=0.0)
                    return found

                patch.setattr(type(labeller), "answer", lambda _, *arguments: slow(*arguments))
                return write(self, labeller, token, seen)
        return write(self, labeller, token, seen)

    monkeypatch.setattr(building.ModelBuilder, "_write", changing)
    build(prepared, "second", threads=1)
    with prepared.database.read() as connection:
        model = find_model(connection, "second")
        versions = connection.execute(
            select(answers.c.library_version, func.count())
            .where(answers.c.model_id == model.id)
            .group_by(answers.c.library_version)
        ).tuples()
        assert dict(versions.all()) == {3: 8, 5: 3}
        asked = connection.execute(
            select(tags.c.text, sweeps.c.done_at.is_not(None))
            .join_from(sweeps, tags)
            .where(sweeps.c.model_id == model.id)
        ).tuples()
        assert dict(asked.all()) == {"eclipse": True, "comet": True}


def test_the_chore_builds_what_comes_and_stops_when_the_model_is_removed(
    prepared: Installation, monkeypatch
) -> None:
    monkeypatch.setattr(building, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(building, "WAIT_SECONDS", 0.0)
    chore = Builds()
    try:
        while chore.run_once(prepared, None):
            pass
        # The active model lacks its videos as well, and came first.
        assert len(built(prepared, "model")) == len(built(prepared)) == 1
        while state(prepared) == "building":
            chore.run_once(prepared, None)
        (late,) = label(prepared, "a late one")
        while chore.run_once(prepared, None):
            pass
        while late not in built(prepared):
            assert chore.run_once(prepared, None)
        models.remove(prepared, "second")
        label(prepared, "later still")
        while chore.run_once(prepared, None):
            pass
        assert len(built(prepared, "model")) == 3
    finally:
        chore.close()


def test_a_model_that_is_removed_while_it_is_built_leaves_nothing(
    prepared: Installation, monkeypatch
) -> None:
    label(prepared, "a walk")
    look = building.ModelBuilder._look

    def removing(self, labeller, leased):
        found = look(self, labeller, leased)
        models.remove(prepared, "second")
        return found

    monkeypatch.setattr(building.ModelBuilder, "_look", removing)
    with pytest.raises(Exception, match="no model"):
        build(prepared, "second", threads=1)
    with prepared.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(vectors)) == 0


def test_a_worker_builds_the_new_model_beside_its_work(prepared: Installation) -> None:
    at = prepared.clock()
    with prepared.database.write() as connection:
        connection.execute(
            insert(videos), [{"title": "new", "added_at": at, "shelf": "unlabelled", "shelved_at": at}]
        )
    report = run_worker(prepared, once=True, chores=standard_chores(), threads=1)
    assert report.labelled == 1
    assert built(prepared) == built(prepared, "model")
    assert len(built(prepared)) == 2
    assert models.promote(prepared, "second").missing == 0
