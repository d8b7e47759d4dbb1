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
names = st.sampled_from(["a", "A", "b", "c", "d", "é", "E\u0301", "ss", "ß"])
places = st.integers(0, 50)
"""Which of the names and numbers that exist is meant, so that most changes are of something that is there."""


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
        self.after = {}
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

    def named(self, place):
        records = self.records().values()
        known = [name for record in records for name in (*record.names, f"#{record.id}")]
        return known[place % len(known)] if known else "nobody"

    def note(self, version, there):
        assert version > self.last
        self.last = version
        self.before[version], self.after[version] = there, self.records()

    def do(self, change, *arguments, **more):
        """Make a change; whether it was made."""
        there = self.records()
        try:
            outcome = change(self.installation, BY, *arguments, **more)
        except (ConflictError, NotFoundError):
            assert self.records() == there  # what is refused changes nothing
            return False
        if outcome.version is None:
            assert self.records() == there
            return False
        self.note(outcome.version, there)
        return True

    @rule(text=names, aliases=st.lists(names, max_size=2), quarantined=st.booleans())
    def add(self, text, aliases, quarantined):
        self.do(curate.add, text, aliases=aliases, state="quarantined" if quarantined else "active")

    @rule(tag=places, text=names, keep=st.booleans())
    def rename(self, tag, text, keep):
        self.do(curate.rename, self.named(tag), text, keep_alias=keep)

    @rule(tag=places, aliases=st.lists(names, min_size=1, max_size=2))
    def add_aliases(self, tag, aliases):
        self.do(curate.add_aliases, self.named(tag), aliases)

    @rule(tag=places, which=places)
    def remove_alias(self, tag, which):
        aliases = [(record.text, alias) for record in self.records().values() for alias in record.aliases]
        if aliases:
            text, alias = aliases[which % len(aliases)]
            self.do(curate.remove_aliases, text, [alias])

    @rule(sources=st.lists(places, min_size=1, max_size=3), into=places)
    def merge(self, sources, into):
        self.do(curate.merge, [self.named(source) for source in sources], self.named(into))

    @rule(name=places, more=st.lists(names, max_size=1))
    def split(self, name, more):
        self.do(curate.split, self.named(name), more)

    @rule(
        chosen=st.lists(places, min_size=1, max_size=2),
        change=st.sampled_from([curate.retire, curate.restore, curate.approve]),
    )
    def stand(self, chosen, change):
        self.do(change, [self.named(place) for place in chosen])

    @rule(tag=places, threshold=st.one_of(st.none(), st.floats(0, 1)))
    def set_threshold(self, tag, threshold):
        self.do(curate.set_threshold, self.named(tag), threshold)

    @rule(tag=places, group=names)
    def regroup(self, tag, group):
        self.do(curate.regroup, [self.named(tag)], [group], ["b"])

    @rule(rows=st.lists(st.lists(names, min_size=1, max_size=3), min_size=1, max_size=4))
    def bring_in(self, rows):
        path = Path(self.folder.name) / "tags.csv"
        lines = [f"{row[0]},{';'.join(row[1:])}" for row in rows]
        path.write_text("\n".join(["tag,aliases", *lines]), encoding="utf-8")
        there = self.records()
        done = curate.import_file(self.installation, BY, path)
        self.note(done.imported.version, there)

    @rule()
    def undo_the_last(self):
        """The last change of all can always be undone, and leaves what was before it."""
        if self.last and self.last not in self.undone():
            before = self.before[self.last]
            assert self.do(curate.undo, self.last)
            assert self.records() == before

    @rule(which=places)
    def undo_any(self, which):
        """An undo that is not refused finds the tags as the change left them, and leaves them as they were."""
        if not self.last:
            return
        version = sorted(self.before)[which % len(self.before)]
        before, after, there = self.before[version], self.after[version], self.records()
        touched = [
            tag_id for tag_id in before.keys() | after.keys() if before.get(tag_id) != after.get(tag_id)
        ]
        if self.do(curate.undo, version):
            assert all(there.get(tag_id) == after.get(tag_id) for tag_id in touched)
            now = self.records()
            assert all(now.get(tag_id) == before.get(tag_id) for tag_id in touched)
            assert {i: r for i, r in now.items() if i not in touched} == {
                i: r for i, r in there.items() if i not in touched
            }

    def undone(self):
        with self.database.read() as connection:
            return set(connection.scalars(select(schema.changes.c.undoes)))

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
            max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
