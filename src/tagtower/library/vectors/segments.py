"""Vectors in segment files: the files hold the numbers, the database says which rows of them count.

Rows are written and forced to the disk before the transaction that knows of them ends. Killed in between, they are an
orphan tail that the next writer cuts off. No row is given twice while its file lasts, so a reader of an earlier moment
never finds another video's vector where it looks; what was removed is overwritten with zeros after the commit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Float, Float32, Int64
from sqlalchemy import ColumnElement, Connection, and_, insert, select, true, update

from tagtower.index.sweep import Sweep
from tagtower.library.database import Database, after_commit
from tagtower.library.models import find_model
from tagtower.library.schema import segments
from tagtower.library.schema import vectors as table
from tagtower.library.vectors.segment_folder import SegmentFolder
from tagtower.library.vectors.segment_rows import (
    AT_ONCE,
    Place,
    append_rows,
    counted,
    is_shared,
    segments_of,
    take_out,
)
from tagtower.library.vectors.segment_upkeep import tidy, wipe
from tagtower.library.vectors.store import NearestVideos, block_rows, model_of, storable

NARROW = 8
"""A search within less than one in so many of the vectors fetches these alone."""


@final
class SegmentVectors:
    """The vectors of a SQLite installation; one object may serve several threads."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = SegmentFolder(folder)

    def add(
        self,
        connection: Connection,
        model_id: int,
        video_ids: Sequence[int],
        vectors: Float[np.ndarray, "video dim"],
        *,
        fingerprint: str | None = None,
    ) -> None:
        """Append the vectors that are new or changed; those of before count no more."""
        model = model_of(connection, model_id, vectors.shape[1], fingerprint)
        ids = np.asarray(video_ids, np.int64)
        rows = storable(vectors, model.distance)
        known, stored = self.get(connection, model_id, video_ids)
        before = dict(zip(known.tolist(), stored, strict=True))
        same = [
            one in before and np.array_equal(before[one], row)
            for one, row in zip(ids.tolist(), rows, strict=True)
        ]
        fresh = np.flatnonzero(~np.array(same, bool))
        if not len(fresh):
            return
        changed = [one for one in ids[fresh].tolist() if one in before]
        self._take_out(connection, changed, table.c.model_id == model_id)
        places = append_rows(connection, self._folder, model, ids[fresh], rows[fresh])
        connection.execute(
            insert(table),
            [
                {"model_id": model_id, "video_id": video, "segment": segment, "row": row}
                for video, (segment, row) in zip(ids[fresh].tolist(), places, strict=True)
            ],
        )

    def get(
        self, connection: Connection, model_id: int, video_ids: Sequence[int]
    ) -> tuple[Int64[np.ndarray, "found"], Float32[np.ndarray, "found dim"]]:
        """Return copies of the vectors of these videos."""
        model = find_model(connection, model_id)
        places: dict[int, Place] = {}
        wanted = [int(one) for one in video_ids]
        for start in range(0, len(wanted), AT_ONCE):
            query = select(table.c.video_id, table.c.segment, table.c.row).where(
                table.c.model_id == model_id, table.c.video_id.in_(wanted[start : start + AT_ONCE])
            )
            places.update((video, (segment, row)) for video, segment, row in connection.execute(query))
        kept = [one for one in wanted if one in places]
        at = np.array([places[one] for one in kept], np.int64).reshape(-1, 2)
        found = np.empty((len(kept), model.width), np.float32)
        for segment in np.unique(at[:, 0]).tolist():
            mine = np.flatnonzero(at[:, 0] == segment)
            rows = at[mine, 1]
            found[mine] = self._folder.map(model, segment, int(rows.max()) + 1)["vector"][rows]
        return np.array(kept, np.int64), found

    def blocks(
        self, connection: Connection, model_id: int
    ) -> Iterator[tuple[Int64[np.ndarray, "video"], Float32[np.ndarray, "video dim"]]]:
        """Yield the vectors as they lie in the files, mapped and not copied where all of a block count."""
        model = find_model(connection, model_id)
        listed = segments_of(connection, model.vector_fingerprint)
        self._folder.forget_maps(model.vector_fingerprint, {one.segment for one in listed})
        shared = is_shared(connection, model)
        step = block_rows(model.width)
        for segment, rows, unwiped in listed:
            mapped = self._folder.map(model, segment, rows)[:rows]
            # In the files alone a row that was taken out, or that is another model's, looks like any other.
            counts = counted(connection, model, segment, rows) if unwiped or shared else None
            for start in range(0, rows, step):
                part = mapped[start : start + step]
                ids = np.ascontiguousarray(part["id"])
                live = ids != 0 if counts is None else (ids != 0) & counts[start : start + step]
                if live.all():
                    yield ids, part["vector"]
                elif live.any():
                    yield ids[live], part["vector"][live]

    def nearest(
        self,
        connection: Connection,
        model_id: int,
        queries: Float[np.ndarray, "query dim"],
        k: int,
        *,
        within: Sequence[int] | Int64[np.ndarray, "video"] | None = None,
    ) -> list[NearestVideos]:
        """Return the nearest videos, exactly."""
        model = model_of(connection, model_id, queries.shape[1])
        count = len(queries)
        sweep = Sweep(queries, np.arange(count), model.distance, np.full(count, np.inf), k)
        wanted = None if within is None else np.unique(np.asarray(within, np.int64))
        stored = sum(one.rows for one in segments_of(connection, model.vector_fingerprint))
        if wanted is not None and len(wanted) * NARROW < stored:
            sweep(*self.get(connection, model_id, wanted.tolist()))
        else:
            for ids, block in self.blocks(connection, model_id):
                if wanted is None:
                    sweep(ids, block)
                elif (kept := np.isin(ids, wanted, assume_unique=True)).any():
                    sweep(ids[kept], block[kept])
        return [NearestVideos(found.ids, found.distances) for found in sweep.found()]

    def remove(self, connection: Connection, video_ids: Sequence[int], *, but: int | None = None) -> int:
        """Remove the vectors of videos; their bytes are overwritten once the transaction is kept."""
        whose = true() if but is None else table.c.model_id != but
        return self._take_out(connection, [int(one) for one in video_ids], whose)

    def drop(self, connection: Connection, model_id: int) -> None:
        """Remove all vectors of a model; the files go once the transaction is kept, if no other model uses them."""
        model = find_model(connection, model_id)
        connection.execute(table.delete().where(table.c.model_id == model_id))
        mine = segments.c.vector_fingerprint == model.vector_fingerprint
        if is_shared(connection, model):
            # Which rows nobody else uses, upkeep finds out.
            connection.execute(update(segments).where(mine).values(unwiped=segments.c.unwiped + 1))
            after_commit(connection, self.tidy)
        else:
            connection.execute(segments.delete().where(mine))
            after_commit(connection, partial(self._folder.remove, model.vector_fingerprint))

    def prepare(self, model_id: int) -> bool:
        """Do nothing: exact search needs no index."""
        return True

    def tidy(self) -> None:
        """Overwrite what a killed program left, compact sparse files, and delete those that nobody reads any more."""
        tidy(self._database, self._folder)

    def _take_out(self, connection: Connection, video_ids: Sequence[int], whose: ColumnElement[bool]) -> int:
        removed = 0
        for start in range(0, len(video_ids), AT_ONCE):
            chosen = and_(table.c.video_id.in_(video_ids[start : start + AT_ONCE]), whose)
            count, places = take_out(connection, chosen)
            removed += count
            if count:
                after_commit(connection, partial(wipe, self._database, self._folder, places))
        return removed
