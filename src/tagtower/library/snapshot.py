"""The tags that may be suggested now, out of the database: a snapshot that is kept up to date by what was changed.

A look costs one small question where nothing was changed; after a change only the tags that it touched are read.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, final

import numpy as np
from jaxtyping import Float64, Int64
from sqlalchemy import Connection, select

from tagtower.library.curation.committing import library_version
from tagtower.library.curation.reading import AT_ONCE
from tagtower.library.database import Database
from tagtower.library.schema import tag_names, tags
from tagtower.library.tags import TagLibrary
from tagtower.records import Tag

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class TagSnapshot:
    """The tags that may be suggested at one moment, by number: active, suggestable, not expired.

    `version` is the library's. `ids` and `thresholds` (a person's, NaN where there is none) stand in the order of
    `library`, which may be empty. The version of `library` names the version, and how many tags have expired since.
    """

    version: int
    library: TagLibrary
    ids: tuple[int, ...]
    thresholds: Float64[np.ndarray, " tag"]


@final
class _Places(Mapping[str, int]):
    """Where the tag stands that has a normalized name. Thus no place has to be counted anew when a tag goes."""

    def __init__(self, owners: Mapping[str, int], ids: tuple[int, ...]) -> None:
        self._owners = owners
        self._ids = ids

    def __getitem__(self, key: str) -> int:
        owner = self._owners[key]
        place = bisect_left(self._ids, owner)
        if place == len(self._ids) or self._ids[place] != owner:
            raise KeyError(key)  # the name of a tag that has expired
        return place

    def __iter__(self) -> Iterator[str]:
        return (key for key in self._owners if key in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


@final
class TagSource:
    """Gives the snapshot of the present moment; may be asked by several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._version = -1
        # Tags that may be suggested until they expire: parallel lists, by number.
        self._ids: list[int] = []
        self._tags: list[Tag] = []
        self._texts: list[str] = []
        self._thresholds: list[float] = []
        self._keys: dict[int, tuple[str, ...]] = {}
        self._owners: dict[str, int] = {}
        self._expiring: dict[int, datetime] = {}
        self._snapshot: TagSnapshot | None = None
        self._valid_from: datetime | None = None
        self._valid_until: datetime | None = None

    def current(self, now: datetime) -> TagSnapshot:
        """Return the tags that may be suggested at `now`; the same object as before where nothing has changed.

        Raises:
            DatabaseError: the database is gone.
        """
        with self._lock:
            with self._database.read() as connection:
                version = library_version(connection)
                if version != self._version:
                    self._catch_up(connection, version)
            if self._snapshot is None or not self._holds_at(now):
                self._snapshot = self._make(now)
            return self._snapshot

    def _holds_at(self, now: datetime) -> bool:
        after = self._valid_from is None or now >= self._valid_from
        return after and (self._valid_until is None or now < self._valid_until)

    def _catch_up(self, connection: Connection, version: int) -> None:
        """Read the tags that were changed since the version that is known."""
        changed = tags.c.version > self._version
        shown = (tags.c.state == "active") & tags.c.suggestable
        if self._version >= 0:
            for tag_id in connection.scalars(select(tags.c.id).where(changed)):
                self._drop(tag_id)
        columns = (tags.c.id, tags.c.description, tags.c.expires_at, tags.c.threshold)
        query = (
            select(*columns, tag_names.c.key, tag_names.c.text)
            .join(tag_names, tag_names.c.tag_id == tags.c.id)
            .where(changed, shown)
            .order_by(tags.c.id, tag_names.c.place)
        )
        rows: list[Any] = []
        for row in connection.execution_options(yield_per=10 * AT_ONCE).execute(query):
            if rows and rows[0].id != row.id:
                self._take(rows)
                rows = []
            rows.append(row)
        if rows:
            self._take(rows)
        self._version = version
        self._snapshot = None

    def _drop(self, tag_id: int) -> None:
        if tag_id not in self._keys:
            return
        place = bisect_left(self._ids, tag_id)
        for column in (self._ids, self._tags, self._texts, self._thresholds):
            del column[place]
        for key in self._keys.pop(tag_id):
            if self._owners[key] == tag_id:
                del self._owners[key]
        self._expiring.pop(tag_id, None)

    def _take(self, rows: list[Any]) -> None:
        """Enter a tag, given a row for each of its names."""
        first = rows[0]
        tag = Tag(first.text, tuple(row.text for row in rows[1:]), first.description, first.expires_at)
        place = bisect_left(self._ids, first.id)
        self._ids.insert(place, first.id)
        self._tags.insert(place, tag)
        self._texts.insert(place, tag.text)
        self._thresholds.insert(place, float("nan") if first.threshold is None else first.threshold)
        self._keys[first.id] = tuple(row.key for row in rows)
        self._owners.update((key, first.id) for key in self._keys[first.id])
        if tag.expires is not None:
            self._expiring[first.id] = tag.expires

    def _make(self, now: datetime) -> TagSnapshot:
        """Return the snapshot of `now`, and note for which moments it holds."""
        expired = sorted(tag_id for tag_id, at in self._expiring.items() if at <= now)
        self._valid_from = max((self._expiring[tag_id] for tag_id in expired), default=None)
        self._valid_until = min((at for at in self._expiring.values() if at > now), default=None)
        gone = np.searchsorted(self._ids, expired) if expired else np.empty(0, np.int64)
        ids = _without(self._ids, gone)
        library = TagLibrary(
            _without(self._tags, gone),
            _without(self._texts, gone),
            f"{self._version}-{len(expired)}",
            _Places(self._owners.copy(), ids),
        )
        thresholds = np.delete(np.array(self._thresholds, np.float64), gone)
        return TagSnapshot(self._version, library, ids, thresholds)


def _without(column: list[Value], gone: Int64[np.ndarray, " place"]) -> tuple[Value, ...]:
    """Return a list without the entries at the ascending places `gone`."""
    if not len(gone):
        return tuple(column)
    places = set(gone.tolist())
    return tuple(value for place, value in enumerate(column) if place not in places)
