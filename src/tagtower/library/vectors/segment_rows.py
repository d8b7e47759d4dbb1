"""What the database says of segment files: how many rows of each count, which are no vector any more, and appending."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float32, Int64
from sqlalchemy import ColumnElement, Connection, Row, and_, func, insert, select, update

from tagtower.library.models import ModelRecord, find_model
from tagtower.library.schema import models, segments, vectors
from tagtower.library.vectors.segment_folder import SegmentFolder

Place: TypeAlias = tuple[int, int]
"""A segment's number and a row in it, from 0."""

Places: TypeAlias = Mapping[str, Mapping[int, set[int]]]
"""Rows by vector fingerprint and segment."""

AT_ONCE = 10_000
"""Ids in one statement; SQLite takes 32,766."""


def append_rows(
    connection: Connection,
    folder: SegmentFolder,
    model: ModelRecord,
    ids: Int64[np.ndarray, "row"],
    rows: Float32[np.ndarray, "row dim"],
    *,
    leaving: int | None = None,
) -> list[Place]:
    """Write rows into the last segment, and into new ones as it fills; return where each lies.

    Args:
        leaving: a segment that nothing more is written into.
    """
    fingerprint = model.vector_fingerprint
    last = connection.execute(
        select(segments.c.segment, segments.c.rows)
        .where(segments.c.vector_fingerprint == fingerprint)
        .order_by(segments.c.segment.desc())
        .limit(1)
    ).first()
    segment, used = (None, 0) if last is None or last.segment == leaving else (last.segment, last.rows)
    places: list[Place] = []
    while len(places) < len(ids):
        if segment is None or used >= folder.file(model, segment).capacity:
            segment, used = _new_segment(connection, folder, fingerprint), 0
        file = folder.file(model, segment)
        part = slice(len(places), len(places) + min(len(ids) - len(places), file.capacity - used))
        count = len(ids[part])
        # The database first: whoever does not get its write lock must not touch the file.
        connection.execute(update(segments).where(_is(fingerprint, segment)).values(rows=used + count))
        with folder.one_writer(fingerprint):
            if used == 0 and not file.path.exists():
                file.create()
            file.append(used, ids[part], rows[part])
        places += [(segment, used + row) for row in range(count)]
        used += count
    return places


def counted(
    connection: Connection, model: ModelRecord, segment: int, rows: int, *, by_any: bool = False
) -> Bool[np.ndarray, "row"]:
    """Return which of the first `rows` of a segment are a vector of the model, or of any that uses the segment."""
    query = select(vectors.c.row).where(vectors.c.segment == segment)
    if by_any:
        users = select(models.c.id).where(models.c.vector_fingerprint == model.vector_fingerprint)
        query = query.where(vectors.c.model_id.in_(users))
    else:
        query = query.where(vectors.c.model_id == model.id)
    mask = np.zeros(rows, bool)
    mask[np.array(connection.scalars(query).all(), np.int64)] = True
    return mask


def is_shared(connection: Connection, model: ModelRecord) -> bool:
    """Return whether there is another model with the same vectors, which uses the same files."""
    other = and_(models.c.vector_fingerprint == model.vector_fingerprint, models.c.id != model.id)
    return bool(connection.scalar(select(select(models.c.id).where(other).exists())))


def user_of(connection: Connection, fingerprint: str) -> ModelRecord | None:
    """Return one of the models with a vector fingerprint."""
    query = select(models.c.id).where(models.c.vector_fingerprint == fingerprint).limit(1)
    found = connection.scalar(query)
    return None if found is None else find_model(connection, found)


def segments_of(connection: Connection, fingerprint: str) -> Sequence[Row[int, int, int]]:
    """Return number, rows and unwiped rows of each segment with a vector fingerprint, in order."""
    return connection.execute(
        select(segments.c.segment, segments.c.rows, segments.c.unwiped)
        .where(segments.c.vector_fingerprint == fingerprint)
        .order_by(segments.c.segment)
    ).all()


def take_out(connection: Connection, chosen: ColumnElement[bool]) -> tuple[int, Places]:
    """Delete rows of `vectors`; return how many there were, and what of the files no model uses any more."""
    found = connection.execute(
        select(models.c.vector_fingerprint, vectors.c.segment, vectors.c.row)
        .select_from(vectors.join(models))
        .where(chosen)
    ).all()
    connection.execute(vectors.delete().where(chosen))
    places: dict[str, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for fingerprint, segment, row in found:
        places[fingerprint][segment].add(row)
    for fingerprint, by_segment in places.items():
        for segment, rows in by_segment.items():
            used = (
                select(vectors.c.row)
                .select_from(vectors.join(models))
                .where(
                    models.c.vector_fingerprint == fingerprint,
                    vectors.c.segment == segment,
                    vectors.c.row.in_(sorted(rows)),
                )
            )
            rows.difference_update(connection.scalars(used))
            count_gone(connection, fingerprint, segment, gone=len(rows), unwiped=len(rows))
    return len(found), places


def count_gone(
    connection: Connection, fingerprint: str, segment: int, *, gone: int = 0, unwiped: int
) -> None:
    """Count rows of a segment that are no vector any more, and those of them that are not overwritten yet."""
    connection.execute(
        update(segments)
        .where(_is(fingerprint, segment))
        .values(gone=segments.c.gone + gone, unwiped=func.max(segments.c.unwiped + unwiped, 0))
    )


def rows_of(connection: Connection, fingerprint: str, segment: int) -> int:
    """Return how many rows of a segment count, or did."""
    return connection.scalar(select(segments.c.rows).where(_is(fingerprint, segment))) or 0


def set_gone(connection: Connection, fingerprint: str, segment: int, gone: int) -> None:
    """Say how many rows of a segment are no vector any more; all of them are overwritten."""
    connection.execute(update(segments).where(_is(fingerprint, segment)).values(gone=gone, unwiped=0))


def delete_segment(connection: Connection, fingerprint: str, segment: int) -> None:
    """Forget a segment."""
    connection.execute(segments.delete().where(_is(fingerprint, segment)))


def _new_segment(connection: Connection, folder: SegmentFolder, fingerprint: str) -> int:
    """Enter a segment under a number that no file had: one of an earlier moment may still be read."""
    known = connection.scalar(
        select(func.max(segments.c.segment)).where(segments.c.vector_fingerprint == fingerprint)
    )
    segment = max(known or 0, folder.newest(fingerprint)) + 1
    connection.execute(insert(segments).values(vector_fingerprint=fingerprint, segment=segment, rows=0))
    return segment


def _is(fingerprint: str, segment: int) -> ColumnElement[bool]:
    return and_(segments.c.vector_fingerprint == fingerprint, segments.c.segment == segment)
