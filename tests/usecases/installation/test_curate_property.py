"""Whatever editors do and undo, in any order: the library stays sound, and an undo brings back what was there."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select

from tagtower.config.installation import InstallationSettings
from tagtower.errors import ConflictError, NotFoundError
from tagtower.library import schema
from tagtower.library.curation.reading import TagFilter, every_tag
from tagtower.library.database import Database
from tagtower.library.migrate import upgrade
from tagtower.library.snapshot import TagSource
from tagtower.library.tags import normalize_tag
from tagtower.storage.media_store import media_store
from tagtower.usecases.installation import curate
from tagtower.usecases.installation.curate import Editing
from tagtower.usecases.installation.home import Installation

NOW = datetime(2030, 1, 1, tzinfo=UTC)
BY = Editing("maria")
names = st.sampled_from(["a", "A", "b", "c", "d", "e", "é", "E\u0301", "ss", "ß"])
tags = st.one_of(names, st.integers(1, 6).map(lambda number: f"#{number}"))


class Curation(RuleBasedStateMachine):
    """Editors at work on a library; `snapshots` are the records at each version."""

    @initialize()
    def open(self):
        self.folder = tempfile.TemporaryDirectory()
        home = Path(self.folder.name)
        self.database = Database.file(home / "library.sqlite")
        upgrade(self.database)
        media = media_store(home / "media")
        self.installation = Installation(
            home, "0" * 16, InstallationSettings(), self.database, media, lambda: NOW
        )
        self.source = TagSource(self.database)
        self.before = {}
        self.last = 0

    def teardown(self):
        self.database.close()
        self.folder.cleanup()

    def records(self):
        with self.database.read() as connection:
            listed = list(every_tag(connection, TagFilter())) + list(
                every_tag(connection, TagFilter(state="merged"))
            )
        return {record.id: record for record in listed}

    def do(self, change, *arguments, **more):
        there = self.records()
        try:
            outcome = change(self.installation, BY, *arguments, **more)
        except (ConflictError, NotFoundError):
            assert self.records() == there  # what is refused changes nothing
            return
        version = getattr(outcome, "version", None)
        if version is not None:
            assert version > self.last
            self.last = version
            self.before[version] = there
        else:
            assert self.records() == there

    @rule(text=names, aliases=st.lists(names, max_size=2), quarantined=st.booleans())
    def add(self, text, aliases, quarantined):
        self.do(curate.add, text, aliases=aliases, state="quarantined" if quarantined else "active")

    @rule(tag=tags, text=names, keep=st.booleans())
    def rename(self, tag, text, keep):
        self.do(curate.rename, tag, text, keep_alias=keep)

    @rule(tag=tags, aliases=st.lists(names, min_size=1, max_size=2))
    def add_aliases(self, tag, aliases):
        self.do(curate.add_aliases, tag, aliases)

    @rule(tag=tags, aliases=st.lists(names, min_size=1, max_size=2))
    def remove_aliases(self, tag, aliases):
        self.do(curate.remove_aliases, tag, aliases)

    @rule(sources=st.lists(tags, min_size=1, max_size=3), into=tags)
    def merge(self, sources, into):
        self.do(curate.merge, sources, into)

    @rule(name=tags, more=st.lists(names, max_size=1))
    def split(self, name, more):
        self.do(curate.split, name, more)

    @rule(
        chosen=st.lists(tags, min_size=1, max_size=2),
        change=st.sampled_from([curate.retire, curate.restore, curate.approve]),
    )
    def stand(self, chosen, change):
        self.do(change, chosen)

    @rule(tag=tags, threshold=st.one_of(st.none(), st.floats(0, 1)))
    def set_threshold(self, tag, threshold):
        self.do(curate.set_threshold, tag, threshold)

    @rule(tag=tags, group=names)
    def regroup(self, tag, group):
        self.do(curate.regroup, [tag], [group], ["b"])

    @rule(rows=st.lists(st.lists(names, min_size=1, max_size=3), min_size=1, max_size=4))
    def bring_in(self, rows):
        path = Path(self.folder.name) / "tags.csv"
        lines = [f"{row[0]},{';'.join(row[1:])}" for row in rows]
        path.write_text("\n".join(["tag,aliases", *lines]), encoding="utf-8")
        there = self.records()
        done = curate.import_file(self.installation, BY, path)
        self.last = done.imported.version
        self.before[self.last] = there

    @rule()
    def undo_the_last(self):
        """The last change of all can always be undone, and leaves what was before it."""
        with self.database.read() as connection:
            undone = set(connection.scalars(select(schema.changes.c.undoes)))
        if self.last and self.last not in undone:
            before = self.before[self.last]
            there = self.records()
            outcome = curate.undo(self.installation, BY, self.last)
            assert self.records() == before
            self.last = outcome.version
            self.before[self.last] = there

    @rule(back=st.integers(1, 8))
    def undo_any(self, back):
        self.do(curate.undo, max(self.last - back, 1))

    @invariant()
    def the_library_is_sound(self):
        records = self.records()
        with self.database.read() as connection:
            rows = connection.execute(select(schema.tag_names)).all()
        for record in records.values():
            own = [row for row in rows if row.tag_id == record.id]
            if record.state == "merged":
                assert own == []
                assert records[record.merged_into].state != "merged"
            else:
                assert record.merged_into is None
                assert [row.text for row in own if row.place == 0] == [record.text]
                assert sorted(row.key for row in own) == sorted(map(normalize_tag, record.names))
        assert {row.tag_id for row in rows} <= records.keys()

    @invariant()
    def a_snapshot_kept_up_to_date_is_a_fresh_one(self):
        kept, fresh = self.source.current(NOW), TagSource(self.database).current(NOW)
        assert (kept.ids, kept.library.tags, kept.library.version) == (
            fresh.ids, fresh.library.tags, fresh.library.version,
        )  # fmt: skip
        assert all(
            kept.library.index_of(name) == place
            for place, tag in enumerate(kept.library.tags)
            for name in (tag.text, *tag.aliases)
        )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_any_sequence_of_changes_and_undos_keeps_the_library_sound():
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        Curation,
        settings=settings(
            max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
