"""The tags that may be suggested now: which they are, and that a change is seen without reading all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import event

from tagtower.library.curation import naming, standing
from tagtower.library.curation.committing import commit, lock_library
from tagtower.library.curation.joining import merge
from tagtower.library.curation.reading import find
from tagtower.library.curation.record import TagRecord
from tagtower.library.snapshot import TagSource

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def change(database):
    """Makes a plan out of the tags of these names, and carries it out."""

    def run(plan, *names):
        with database.write() as connection:
            lock_library(connection)
            return commit(connection, plan(*(find(connection, name) for name in names)), "maria", NOW)

    return run


def add(change, text, **fields):
    change(lambda: naming.add(TagRecord(0, text, **fields)))


def test_an_empty_library_is_a_snapshot_without_tags(database):
    snapshot = TagSource(database).current(NOW)
    assert (snapshot.version, len(snapshot.library), snapshot.ids) == (0, 0, ())
    assert snapshot.thresholds.shape == (0,)


def test_only_tags_that_may_be_suggested_are_in_it(database, change):
    add(change, "active", aliases=("alive",), threshold=0.5)
    add(change, "quarantined", state="quarantined")
    add(change, "never", suggestable=False)
    add(change, "expired", expires_at=NOW)
    add(change, "later", expires_at=NOW + timedelta(hours=1))
    add(change, "retired")
    change(lambda tag: standing.retire([tag]), "retired")
    add(change, "merged")
    change(lambda source, into: merge([source], into, []), "merged", "active")
    snapshot = TagSource(database).current(NOW)
    assert snapshot.library.texts == ("active", "later")
    assert snapshot.library.tags[0].aliases == ("alive", "merged")
    assert [snapshot.library.index_of(name) for name in ("ALIVE", "merged", "later", "expired", "never")] == [
        0, 0, 1, None, None,
    ]  # fmt: skip
    np.testing.assert_array_equal(snapshot.thresholds, [0.5, np.nan])
    assert len(snapshot.ids) == 2


def test_every_change_is_seen_at_the_next_look(database, change):
    source = TagSource(database)
    for name in ("a", "b", "c", "d"):
        add(change, name)
    assert source.current(NOW).library.texts == ("a", "b", "c", "d")
    change(lambda tag: standing.retire([tag]), "b")
    assert source.current(NOW).library.texts == ("a", "c", "d")
    change(lambda tag: naming.rename(tag, "sea"), "c")
    assert source.current(NOW).library.texts == ("a", "sea", "d")
    assert source.current(NOW).library.index_of("c") == 1
    change(lambda tag: naming.rename(tag, "see", keep_alias=False), "c")
    assert source.current(NOW).library.index_of("sea") is None
    change(lambda tag: standing.restore([tag], NOW), "b")
    assert source.current(NOW).library.texts == ("a", "b", "see", "d")


def test_a_snapshot_that_was_given_out_never_changes(database, change):
    source = TagSource(database)
    add(change, "a", aliases=("x",))
    add(change, "b")
    before = source.current(NOW)
    change(lambda tag: standing.retire([tag]), "a")
    add(change, "y")
    source.current(NOW)
    assert before.library.texts == ("a", "b")
    assert before.library.index_of("x") == 0
    assert before.library.index_of("y") is None


def test_time_alone_lets_tags_expire_and_names_another_library(database, change):
    source = TagSource(database)
    add(change, "a", expires_at=NOW + timedelta(hours=1))
    add(change, "b")
    early = source.current(NOW)
    assert source.current(NOW + timedelta(minutes=59)) is early
    late = source.current(NOW + timedelta(hours=1))
    assert late.library.texts == ("b",)
    assert late.version == early.version
    assert late.library.version != early.library.version
    assert source.current(NOW).library.texts == ("a", "b")


def test_a_look_at_an_unchanged_library_asks_one_question(database, change):
    source = TagSource(database)
    for name in "abc":
        add(change, name)
    first = source.current(NOW)
    asked = []
    event.listen(database.engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))
    assert source.current(NOW) is first
    assert len([one for one in asked if one.startswith("SELECT")]) == 1
