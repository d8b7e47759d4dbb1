"""What the state of an installation says."""

from __future__ import annotations

from sqlalchemy import update

from tagtower.library import schema, workers
from tagtower.usecases.installation.health import health


def shelve(installation, video: int, **values) -> None:
    with installation.database.write() as connection:
        connection.execute(update(schema.videos).where(schema.videos.c.id == video).values(**values))


def test_an_empty_installation_is_well(installation):
    state = health(installation)
    assert (state.handed_in, state.failures, state.alive, state.model) == (0, (), 0, None)


def test_the_shelves_add_up_to_what_was_handed_in(installation, archive):
    shelve(installation, archive.videos[0], shelf="failed", error=None)
    state = health(installation)
    assert state.handed_in == 3
    assert (state.shelves.labelled, state.shelves.failed) == (2, 1)


def test_what_was_labelled_is_counted_by_the_hour(installation, archive, clock):
    clock.move(hours=2.5)
    per_hour = health(installation).per_hour
    assert len(per_hour) == 24
    assert (per_hour[-3], sum(per_hour)) == (3, 3)
    clock.move(hours=24)
    assert sum(health(installation).per_hour) == 0


def test_failures_are_grouped_by_their_reason(installation, archive):
    for video, kind in zip(archive.videos, ("damaged", "timeout", "damaged"), strict=True):
        shelve(
            installation,
            video,
            shelf="failed",
            error={"type": kind, "message": f"it is {kind}", "hint": None},
        )
    groups = health(installation).failures
    assert [(one.kind, one.count) for one in groups] == [("damaged", 2), ("timeout", 1)]
    assert set(groups[0].videos) == {archive.videos[0], archive.videos[2]}


def test_a_failure_without_a_reason_is_one_too(installation, archive):
    shelve(installation, archive.videos[0], shelf="failed", error=None)
    assert [one.kind for one in health(installation).failures] == ["unknown"]


def test_a_worker_that_fell_silent_is_not_at_work(installation, clock):
    with installation.database.write() as connection:
        workers.enlist(connection, "here", now=installation.clock())
    assert health(installation).alive == 1
    clock.move(minutes=2)
    assert health(installation).alive == 0
