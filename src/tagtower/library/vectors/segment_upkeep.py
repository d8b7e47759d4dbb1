"""Looking after segment files: what was removed is overwritten, sparse files are compacted, old ones deleted."""

from __future__ import annotations

import numpy as np
from sqlalchemy import Connection, select, update

from tagtower.library.database import Database
from tagtower.library.models import ModelRecord
from tagtower.library.schema import models, segments, vectors
from tagtower.library.vectors.segment_folder import SegmentFolder
from tagtower.library.vectors.segment_rows import (
    Places,
    append_rows,
    count_gone,
    counted,
    delete_segment,
    rows_of,
    set_gone,
    user_of,
)

SPARSE = 0.5
"""A file is compacted when more than this share of its rows is gone."""


def wipe(database: Database, folder: SegmentFolder, places: Places) -> None:
    """Overwrite rows that a kept transaction took out: nothing points at them, and nothing ever will."""
    for fingerprint, by_segment in places.items():
        with database.write() as connection:
            model = user_of(connection, fingerprint)
            for segment, rows in by_segment.items():
                if model is not None and rows:
                    with folder.one_writer(fingerprint):
                        folder.file(model, segment).wipe(np.array(sorted(rows), np.int64))
                    count_gone(connection, fingerprint, segment, unwiped=-len(rows))


def tidy(database: Database, folder: SegmentFolder) -> None:
    """Overwrite what a killed program left to be overwritten, compact sparse files, delete those that nobody reads."""
    for condition, work in (
        (segments.c.unwiped > 0, _wipe_all),
        (segments.c.gone > SPARSE * segments.c.rows, _compact),
    ):
        with database.write() as connection:
            for fingerprint, segment in _listed(connection, condition):
                model = user_of(connection, fingerprint)
                if model is not None:
                    work(connection, folder, model, segment)
    with database.read() as connection:
        listed = [(fingerprint, segment) for fingerprint, segment in _listed(connection)]
    folder.remove_strays(set(listed))


def _wipe_all(connection: Connection, folder: SegmentFolder, model: ModelRecord, segment: int) -> None:
    """Overwrite every row of a segment that counts no more, whoever took it out."""
    fingerprint = model.vector_fingerprint
    rows = rows_of(connection, fingerprint, segment)
    holes = np.flatnonzero(~counted(connection, model, segment, rows, by_any=True))
    with folder.one_writer(fingerprint):
        written = folder.map(model, segment, rows)["id"][holes] != 0
        folder.file(model, segment).wipe(holes[written])
    set_gone(connection, fingerprint, segment, len(holes))


def _compact(connection: Connection, folder: SegmentFolder, model: ModelRecord, segment: int) -> None:
    """Move the rows that count into another segment, and forget this one; its file goes later."""
    fingerprint = model.vector_fingerprint
    rows = rows_of(connection, fingerprint, segment)
    live = np.flatnonzero(counted(connection, model, segment, rows, by_any=True))
    if len(live):
        found = folder.map(model, segment, rows)[live]
        places = append_rows(connection, folder, model, found["id"], found["vector"], leaving=segment)
        users = select(models.c.id).where(models.c.vector_fingerprint == fingerprint)
        for row, (new_segment, new_row) in zip(live.tolist(), places, strict=True):
            connection.execute(
                update(vectors)
                .where(vectors.c.model_id.in_(users), vectors.c.segment == segment, vectors.c.row == row)
                .values(segment=new_segment, row=new_row)
            )
    delete_segment(connection, fingerprint, segment)
    path = folder.file(model, segment).path
    if path.exists():
        path.touch()  # its age counts from here


def _listed(connection: Connection, condition: object = None) -> list[tuple[str, int]]:
    query = select(segments.c.vector_fingerprint, segments.c.segment).order_by(
        segments.c.vector_fingerprint, segments.c.segment
    )
    if condition is not None:
        query = query.where(condition)  # type: ignore[arg-type]
    return [(fingerprint, segment) for fingerprint, segment in connection.execute(query)]
