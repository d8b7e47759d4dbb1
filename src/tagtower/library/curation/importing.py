"""Bringing a file of tags into the library: one change, however many tags, of which few are in memory at a time.

A tag that is there already keeps what is said of it, and gets what is missing: aliases, description, language,
expiry, groups. A bad row, or an alias that leads to another tag, is counted with its line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, final

from sqlalchemy import Connection, bindparam, func, insert, select, text, update

from tagtower.errors import TagLibraryError
from tagtower.library.curation.committing import (
    apply_edits,
    begin_change,
    columns_of,
    write_groups,
    write_names,
)
from tagtower.library.curation.plan import Edit, Plan
from tagtower.library.curation.reading import holders, load
from tagtower.library.curation.record import (
    TagRecord,
    TagState,
    clean_description,
    clean_groups,
    clean_language,
    clean_name,
)
from tagtower.library.curation.sweeping import ask_for_sweeps, wants_sweep
from tagtower.library.events import record as record_event
from tagtower.library.schema import changes, tags
from tagtower.library.tagfile import TagEntry
from tagtower.library.tags import normalize_tag
from tagtower.storage.rows import BadRows

BATCH = 5000
"""Tags in memory at a time."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the rows of a file: tags made, completed, or known already, and rows that were refused."""

    version: int
    made: int
    completed: int
    known: int
    refused: int
    sweeps: int

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return asdict(self)


def import_tags(
    connection: Connection,
    entries: Iterable[TagEntry],
    bad: BadRows,
    author: str,
    at: datetime,
    *,
    state: TagState = "active",
    sweep: bool = True,
) -> Imported:
    """Bring the entries of a file into the library as one change, after `lock_library`.

    Its undo takes away the tags that it made and what it completed; for that the change keeps the numbers of the
    former and the records of the latter.

    Args:
        bad: the file, and where bad rows are counted.
        state: of new tags: active or quarantined.
        sweep: ask for sweeps of the tags.
    Raises:
        TagLibraryError: the file cannot be read, or holds no usable tag.
    """
    version = begin_change(connection, Plan("import", ""), author, at)
    work = _Import(connection, bad, version, at, state)
    rows = iter(entries)
    while batch := list(islice(rows, BATCH)):
        work.take(batch, sweep=sweep)
    done = Imported(version, work.made, work.completed, work.known, bad.count, work.sweeps)
    if not work.made + work.completed + work.known:
        raise bad.nothing_left("tags")
    said = f"import {bad.path.name}: {work.made:,} new tags, {work.completed:,} completed"
    detail = {"made": work.ranges, "sweep": sweep}
    connection.execute(
        update(changes).where(changes.c.version == version).values(summary=said, detail=detail)
    )
    told = {"version": version, "kind": "import", "summary": said, "author": author, "tags": []}
    record_event(connection, "tag.added" if work.made else "tag.changed", told, at)
    return done


@final
class _Import:
    """One import under way: `ranges` are the numbers of the tags that it made so far."""

    def __init__(
        self, connection: Connection, bad: BadRows, version: int, at: datetime, state: TagState
    ) -> None:
        self.made = self.completed = self.known = self.sweeps = 0
        self.ranges: list[list[int]] = []
        self._connection = connection
        self._bad = bad
        self._version = version
        self._at = at
        self._state = state

    def take(self, batch: Sequence[TagEntry], *, sweep: bool) -> None:
        """Bring some entries in."""
        rows = [(entry, keys) for entry in batch if (keys := self._keys(entry)) is not None]
        owners: dict[str, int] = holders(self._connection, {key for _, keys in rows for key in keys})
        there = load(self._connection, {owners[keys[0]] for _, keys in rows if keys[0] in owners})
        tags_now = dict(there)  # and new ones under numbers below zero
        for entry, keys in rows:
            owner = owners.get(keys[0])
            if owner is None:
                owner = owners[keys[0]] = -len(tags_now) - 1
                tags_now[owner] = self._new(owner, entry, keys, owners)
            else:
                self.known += owner < 0
                self._remark(entry, tags_now[owner])
                tags_now[owner] = self._completed(tags_now[owner], owner, entry, keys, owners)
        self._insert([record for number, record in tags_now.items() if number < 0], sweep=sweep)
        edits = [
            Edit(record, tags_now[number]) for number, record in there.items() if tags_now[number] != record
        ]
        completed = sum(there[edit.tag_id].version != self._version for edit in edits)
        self.completed += completed
        self.known += len(there) - completed
        self.sweeps += apply_edits(self._connection, self._version, edits, self._at, sweep=sweep)[1]

    def _keys(self, entry: TagEntry) -> list[str] | None:
        """Return the normalized names of an entry, its text first; None where the row cannot be used."""
        try:
            if entry.tag.description is not None:
                clean_description(entry.tag.description)
            clean_language(entry.language)
            clean_groups(entry.groups)
        except TagLibraryError as fault:
            self._bad.add(entry.line, fault.message)
            return None
        return [normalize_tag(name) for name in (entry.tag.text, *entry.tag.aliases)]

    def _remark(self, entry: TagEntry, known: TagRecord) -> None:
        """Count what is odd about a row whose name is known."""
        if normalize_tag(entry.tag.text) != normalize_tag(known.text):
            self._odd(entry, f"{entry.tag.text!r} is an alias of {known.text!r}; taken as that tag")
        if known.state == "retired":
            self._odd(entry, f"{known.text!r} is retired, and stays so")

    def _new(self, number: int, entry: TagEntry, keys: Sequence[str], owners: dict[str, int]) -> TagRecord:
        """Return a tag that is not in the library yet; its names are entered into `owners`."""
        return TagRecord(
            id=0,
            text=clean_name(entry.tag.text),
            aliases=tuple(self._new_aliases(number, entry, keys, owners)),
            description=clean_description(entry.tag.description),
            language=clean_language(entry.language),
            state=self._state,
            origin="import",
            created_at=self._at,
            expires_at=entry.tag.expires,
            groups=clean_groups(entry.groups),
        )

    def _completed(
        self, record: TagRecord, number: int, entry: TagEntry, keys: Sequence[str], owners: dict[str, int]
    ) -> TagRecord:
        """Return the record with what it lacks and the entry has; its names are entered into `owners`."""
        aliases = self._new_aliases(number, entry, keys, owners)
        groups = set(clean_groups(entry.groups)).difference(record.groups)
        describes = record.description is None and entry.tag.description is not None
        names_language = record.language is None and entry.language is not None
        if not (aliases or groups or describes or names_language):
            return record
        return replace(
            record,
            aliases=(*record.aliases, *aliases),
            description=record.description or clean_description(entry.tag.description),
            language=record.language or clean_language(entry.language),
            groups=tuple(sorted({*record.groups, *groups})),
        )

    def _new_aliases(
        self, number: int, entry: TagEntry, keys: Sequence[str], owners: dict[str, int]
    ) -> list[str]:
        """Return the aliases of an entry that lead nowhere yet, and enter them into `owners`."""
        aliases: list[str] = []
        for alias, key in zip(entry.tag.aliases, keys[1:], strict=True):
            if key in owners:
                if owners[key] != number:
                    self._odd(
                        entry,
                        f"the alias {alias!r} of {entry.tag.text!r} is left out: another tag has that name",
                    )
                continue
            try:
                aliases.append(clean_name(alias))
                owners[key] = number
            except TagLibraryError as fault:
                self._odd(entry, f"alias of {entry.tag.text!r}: {fault.message}")
        return aliases

    def _odd(self, entry: TagEntry, what: str) -> None:
        self._bad.problems.add(self._bad.place(entry.line), what)

    def _insert(self, records: Sequence[TagRecord], *, sweep: bool) -> None:
        """Insert new tags under numbers of our own, which takes a third of the time of asking for each number."""
        if not records:
            return
        numbered = list(zip(_numbers(self._connection, len(records)), records, strict=True))
        rows = [{"id": number, "heat": 0.0, **columns_of(one, self._version)} for number, one in numbered]
        self._connection.execute(insert(tags), rows)
        write_names(self._connection, numbered)
        write_groups(self._connection, numbered)
        self.made += len(numbered)
        for number, _ in numbered:
            if self.ranges and self.ranges[-1][1] == number - 1:
                self.ranges[-1][1] = number
            else:
                self.ranges.append([number, number])
        if sweep:
            asked = [number for number, one in numbered if wants_sweep(Edit(None, one), self._at)]
            self.sweeps += ask_for_sweeps(self._connection, asked, self._at)


def _numbers(connection: Connection, count: int) -> Iterator[int]:
    """Yield numbers for new tags that nobody has had and nobody else will get."""
    if connection.dialect.name == "postgresql":
        sequence = func.pg_get_serial_sequence("tags", "id")
        drawn = select(func.nextval(sequence)).select_from(func.generate_series(1, bindparam("count")))
        yield from connection.scalars(drawn, {"count": count})
        return
    last = connection.scalar(text("SELECT seq FROM sqlite_sequence WHERE name = 'tags'")) or 0
    yield from range(last + 1, last + 1 + count)
