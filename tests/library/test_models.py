"""Which model is active changes in one step, and nobody who writes for the one before leaves a hole."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pytest
from sqlalchemy import event, insert, select

from tagtower.errors import ConflictError, NotFoundError
from tagtower.library.database import Database
from tagtower.library.models import (
    ModelRecord,
    NewModel,
    active_model,
    add_model,
    coverage_of,
    find_model,
    forget_model,
    list_models,
    lock_models,
    switch_active,
)
from tagtower.library.schema import builds, tags, verdicts, videos
from tagtower.library.vectors import vector_store

AT = datetime(2025, 1, 1, tzinfo=UTC)


def enter(database: Database, name: str, fingerprint: str | None = None) -> ModelRecord:
    with database.write() as connection:
        return add_model(
            connection,
            NewModel(name, name, fingerprint or f"m-{name}", f"v-{name}", 4, "cosine", {"map": 0.5}),
            AT,
        )


def label(database: Database, count: int) -> list[int]:
    with database.write() as connection:
        rows = [{"added_at": AT, "shelf": "labelled", "shelved_at": AT} for _ in range(count)]
        return list(connection.scalars(insert(videos).returning(videos.c.id), rows))


def states(database: Database) -> dict[str, str]:
    with database.read() as connection:
        return {one.name: one.state for one in list_models(connection)}


def test_the_first_model_of_an_empty_installation_is_active_at_once(database: Database) -> None:
    first, second = enter(database, "a"), enter(database, "b")
    assert (first.state, first.promoted_at) == ("active", AT)
    assert (second.state, second.promoted_at) == ("building", None)
    with database.read() as connection:
        assert active_model(connection) == first
        assert find_model(connection, "a").metrics == {"map": 0.5}
        assert find_model(connection, second.id).name == "b"


def test_where_videos_are_labelled_even_the_first_model_is_built_before(database: Database) -> None:
    label(database, 1)
    assert enter(database, "a").state == "building"
    with database.read() as connection:
        assert active_model(connection) is None


def test_the_same_model_or_name_twice_is_refused(database: Database) -> None:
    enter(database, "a")
    with pytest.raises(ConflictError, match="there already, as 'a'"):
        enter(database, "b", "m-a")
    with pytest.raises(ConflictError, match="There is a model 'a' already"):
        enter(database, "a", "m-b")


def test_a_model_that_is_not_there_is_not_found_and_the_others_are_named(database: Database) -> None:
    enter(database, "a")
    with database.read() as connection, pytest.raises(NotFoundError, match="no model 'b'") as caught:
        find_model(connection, "b")
    assert "a" in (caught.value.hint or "")


def test_coverage_counts_labelled_videos_alone(database: Database, tmp_path) -> None:
    ids = label(database, 5)
    model, store = enter(database, "a"), vector_store(database, tmp_path)
    with database.write() as connection:
        store.add(connection, model.id, ids[:2], np.eye(4, dtype=np.float32)[:2])
        connection.execute(videos.update().where(videos.c.id == ids[1]).values(shelf="unlabelled"))
        rows = [(ids[2], 3), (ids[3], 2), (ids[0], 3)]
        connection.execute(
            insert(builds),
            [{"model_id": model.id, "video_id": video, "attempts": attempts} for video, attempts in rows],
        )
        found = coverage_of(connection, model.id, attempts=3)
    assert (found.labelled, found.built, found.failed, found.missing) == (4, 1, 1, 3)


@pytest.fixture
def fault(database: Database) -> Iterator[dict[str, int | None]]:
    """Raises before the statement whose number, from 1, is set as `at`; counts statements as `seen`."""
    state: dict[str, int | None] = {"at": None, "seen": 0}

    def before(*_: object) -> None:
        state["seen"] = (state["seen"] or 0) + 1
        if state["seen"] == state["at"]:
            raise KeyboardInterrupt

    event.listen(database.engine, "before_cursor_execute", before)
    event.listen(database.engine, "commit", before)
    yield state
    event.remove(database.engine, "before_cursor_execute", before)
    event.remove(database.engine, "commit", before)


def test_a_promotion_that_is_interrupted_at_any_step_leaves_the_one_model_or_the_other(
    database: Database, fault
) -> None:
    enter(database, "a")
    new = enter(database, "b")
    step, done = 0, False
    while not done:
        step += 1
        fault.update(at=step, seen=0)
        try:
            with database.write() as connection:
                lock_models(connection)
                switch_active(connection, new.id, AT, replaces=True)
            done = True
        except KeyboardInterrupt:
            fault.update(at=None)
            assert states(database) == {"a": "active", "b": "building"}
    fault.update(at=None)
    assert step > 4
    assert states(database) == {"a": "retired", "b": "active"}


def test_two_promotions_at_once_leave_one_active_model(database: Database) -> None:
    enter(database, "a")
    chosen = [enter(database, name) for name in "bcde"]
    start = threading.Barrier(len(chosen))

    def promote(model: ModelRecord) -> None:
        start.wait()
        with database.write() as connection:
            lock_models(connection)
            switch_active(connection, model.id, AT, replaces=True)

    threads = [threading.Thread(target=promote, args=(model,)) for model in chosen]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(states(database).values()) == ["active"] + ["retired"] * 4


def test_whoever_writes_under_the_active_model_keeps_a_promotion_waiting(database: Database) -> None:
    old, new = enter(database, "a"), enter(database, "b")
    promoted = threading.Event()

    def promote() -> None:
        with database.write() as connection:
            lock_models(connection)
            switch_active(connection, new.id, AT, replaces=True)
        promoted.set()

    thread = threading.Thread(target=promote)
    with database.write() as connection:
        assert active_model(connection, lock=True) == old
        thread.start()
        assert not promoted.wait(0.5)
        with database.read() as reader:  # nobody who reads waits
            assert active_model(reader) == old
    thread.join()
    with database.write() as connection:
        found = active_model(connection, lock=True)
        assert found is not None
        assert found.id == new.id


def test_whoever_asks_for_the_active_model_during_a_promotion_gets_the_new_one(database: Database) -> None:
    enter(database, "a")
    new = enter(database, "b")
    found: list[ModelRecord | None] = []

    def ask() -> None:
        with database.write() as connection:
            found.append(active_model(connection, lock=True))

    thread = threading.Thread(target=ask)
    with database.write() as connection:
        lock_models(connection)
        switch_active(connection, new.id, AT, replaces=True)
        thread.start()
        thread.join(0.5)
    thread.join()
    assert [one.id for one in found if one is not None] == [new.id]


def test_verdicts_outlive_the_model_whose_suggestion_was_judged(database: Database) -> None:
    enter(database, "a")
    model, (video,) = enter(database, "b"), label(database, 1)
    with database.write() as connection:
        row = {"text": "red", "state": "active", "origin": "person", "created_at": AT}
        tag = connection.scalar(insert(tags).values(row).returning(tags.c.id))
        connection.execute(
            insert(verdicts).values(
                video_id=video,
                tag_id=tag,
                verdict="reject",
                author="ada",
                at=AT,
                model_id=model.id,
                score=0.5,
            )
        )
        forget_model(connection, model.id)
        kept = connection.execute(select(verdicts.c.verdict, verdicts.c.model_id, verdicts.c.score)).one()
    assert tuple(kept) == ("reject", None, 0.5)
    assert states(database) == {"a": "active"}
