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
    work = _Import(
        connection, bad, version, at, TagRecord(0, "", state=state, origin="import", created_at=at)
    )
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
    return done


@final
class _Import:
    """One import under way: `ranges` are the numbers of the tags that it made so far."""

    def __init__(
        self, connection: Connection, bad: BadRows, version: int, at: datetime, pattern: TagRecord
    ) -> None:
        self.made = self.completed = self.known = self.sweeps = 0
        self.ranges: list[list[int]] = []
        self._connection = connection
        self._bad = bad
        self._version = version
        self._at = at
        self._pattern = pattern

    def take(self, batch: Sequence[TagEntry], *, sweep: bool) -> None:
        """Bring some entries in."""
        entries = [(entry, keys) for entry in batch if (keys := self._keys(entry)) is not None]
        owners = holders(self._connection, {key for _, keys in entries for key in keys})
        there = load(self._connection, {owners[keys[0]] for _, keys in entries if keys[0] in owners})
        fresh: dict[str, TagRecord] = {}  # by the key of the text
        homes: dict[str, str] = {}  # key of any name -> key of the new tag that has it
        grown: dict[int, TagRecord] = {}
        for entry, keys in entries:
            if keys[0] in owners:
                owner = owners[keys[0]]
                self._remark(entry, there[owner])
                grown[owner] = self._complete(grown.get(owner, there[owner]), entry, owners, homes, owner)
                for name in grown[owner].names:
                    owners.setdefault(normalize_tag(name), owner)
            elif keys[0] in homes:
                home = homes[keys[0]]
                self.known += 1
                self._remark(entry, fresh[home])
                fresh[home] = self._complete(fresh[home], entry, owners, homes, home)
                homes.update((normalize_tag(name), home) for name in fresh[home].names)
            else:
                record = replace(self._pattern, text=clean_name(entry.tag.text))
                fresh[keys[0]] = self._complete(record, entry, owners, homes, keys[0])
                homes.update((normalize_tag(name), keys[0]) for name in fresh[keys[0]].names)
        self._insert(list(fresh.values()), sweep=sweep)
        edits = [Edit(there[owner], record) for owner, record in grown.items() if record != there[owner]]
        completed = sum(there[edit.tag_id].version != self._version for edit in edits)
        self.completed += completed
        self.known += len(grown) - completed
        self.sweeps += apply_edits(self._connection, self._version, edits, self._at, sweep=sweep)[1]

    def _keys(self, entry: TagEntry) -> list[str] | None:
        """Return the normalized names of an entry, its text first; None where the row cannot be used."""
        try:
            clean_description(entry.tag.description)
            clean_language(entry.language)
            clean_groups(entry.groups)
        except TagLibraryError as fault:
            self._bad.add(entry.line, fault.message)
            return None
        return [normalize_tag(name) for name in (entry.tag.text, *entry.tag.aliases)]

    def _remark(self, entry: TagEntry, known: TagRecord) -> None:
        """Count what is odd about a row whose name is known."""
        where = self._bad.place(entry.line)
        if normalize_tag(entry.tag.text) != normalize_tag(known.text):
            self._bad.problems.add(
                where, f"{entry.tag.text!r} is an alias of {known.text!r}; taken as that tag"
            )
        if known.state == "retired":
            self._bad.problems.add(where, f"{known.text!r} is retired, and stays so")

    def _complete(
        self,
        record: TagRecord,
        entry: TagEntry,
        owners: dict[str, int],
        homes: dict[str, str],
        own: int | str,
    ) -> TagRecord:
        """Return the record with what it lacks and the entry has."""
        taken = {normalize_tag(name) for name in record.names}
        aliases = list(record.aliases)
        for alias in entry.tag.aliases:
            key = normalize_tag(alias)
            holder = owners.get(key, homes.get(key, own))
            if holder != own:
                self._bad.problems.add(
                    self._bad.place(entry.line),
                    f"the alias {alias!r} of {record.text!r} is left out: another tag has that name",
                )
            elif key not in taken:
                try:
                    aliases.append(clean_name(alias))
                    taken.add(key)
                except TagLibraryError as fault:
                    where = self._bad.place(entry.line)
                    self._bad.problems.add(where, f"alias of {record.text!r}: {fault.message}")
        new = not record.id
        return replace(
            record,
            aliases=tuple(aliases),
            description=record.description or clean_description(entry.tag.description),
            language=record.language or clean_language(entry.language),
            expires_at=entry.tag.expires if new and record.expires_at is None else record.expires_at,
            groups=tuple(sorted({*record.groups, *clean_groups(entry.groups)})),
        )

    def _insert(self, records: Sequence[TagRecord], *, sweep: bool) -> None:
        """Insert new tags under numbers of our own, which takes a third of the time of asking for each number."""
        if not records:
            return
        numbered = [
            replace(record, id=number, version=self._version)
            for number, record in zip(_numbers(self._connection, len(records)), records, strict=True)
        ]
        rows = [{"id": one.id, "heat": 0.0, **columns_of(one, self._version)} for one in numbered]
        self._connection.execute(insert(tags), rows)
        write_names(self._connection, numbered)
        write_groups(self._connection, numbered)
        self.made += len(numbered)
        for one in numbered:
            if self.ranges and self.ranges[-1][1] == one.id - 1:
                self.ranges[-1][1] = one.id
            else:
                self.ranges.append([one.id, one.id])
        if sweep:
            asked = [one.id for one in numbered if wants_sweep(Edit(None, one), self._at)]
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
