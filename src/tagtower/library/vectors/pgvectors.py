"""Vectors in PostgreSQL with pgvector: searched by an HNSW index over half-precision copies, and then exactly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import final

import numpy as np
from jaxtyping import Float, Float32, Int64
from sqlalchemy import Connection, TextClause, delete, func, select, text, true
from sqlalchemy.dialects.postgresql import insert

from tagtower.index.sweep import Sweep
from tagtower.library.database import Database, after_commit
from tagtower.library.models import ModelRecord, find_model
from tagtower.library.schema import models
from tagtower.library.schema import vectors as table
from tagtower.library.vectors.pg_copy import copy_vectors
from tagtower.library.vectors.store import NearestVideos, block_rows, model_of, storable

WIDEST_INDEX = 4000
"""Components of a half-precision vector that pgvector can index."""

EXACT_WITHIN = 20_000
"""A search within at most so many videos computes every distance: the index would pass over most of what it finds."""

EXACT_BELOW = 2_000
"""So few vectors are searched exactly."""

SPARE = 2
"""For each video that is wanted so many are taken from the index, and ordered by their exact distances."""

EF_SEARCH, MOST_EF_SEARCH = 200, 1000
MAX_SCAN_TUPLES = 200_000
"""Vectors that a filtered search looks at before it gives up finding more."""

AT_ONCE = 10_000
INDEX = "ix_vectors_hnsw_"
LOCK = 7_300_500_000
"""Number of the advisory lock of whoever builds the index of model 0; the others follow."""


@final
class PgVectors:
    """The vectors of a PostgreSQL installation."""

    def __init__(self, database: Database, *, exact_below: int = EXACT_BELOW) -> None:
        self._database = database
        self._exact_below = exact_below

    def add(
        self,
        connection: Connection,
        model_id: int,
        video_ids: Sequence[int],
        vectors: Float[np.ndarray, "video dim"],
        *,
        fingerprint: str | None = None,
    ) -> None:
        """Insert the vectors, or put them in place of those of before."""
        model = model_of(connection, model_id, vectors.shape[1], fingerprint)
        if not len(video_ids):
            return
        statement = insert(table)
        statement = statement.on_conflict_do_update(
            index_elements=[table.c.model_id, table.c.video_id],
            set_={"embedding": statement.excluded.embedding},
        )
        rows = storable(vectors, model.distance)
        connection.execute(
            statement,
            [
                {"model_id": model_id, "video_id": int(video), "embedding": row}
                for video, row in zip(video_ids, rows, strict=True)
            ],
        )

    def get(
        self, connection: Connection, model_id: int, video_ids: Sequence[int]
    ) -> tuple[Int64[np.ndarray, "found"], Float32[np.ndarray, "found dim"]]:
        """Return the vectors of these videos."""
        model = find_model(connection, model_id)
        wanted = np.asarray(video_ids, np.int64)
        parts = [(np.zeros(0, np.int64), np.zeros((0, model.width), np.float32))]
        for start in range(0, len(wanted), AT_ONCE):
            listed = ",".join(map(str, wanted[start : start + AT_ONCE].tolist()))
            query = (
                f"SELECT video_id, embedding FROM vectors WHERE model_id = {model.id} "
                f"AND video_id = ANY('{{{listed}}}'::bigint[])"
            )
            parts.append(copy_vectors(connection, query, model.width))
        ids, found = (np.concatenate(one) for one in zip(*parts, strict=True))
        place = {one: row for row, one in enumerate(ids.tolist())}
        order = [place[one] for one in wanted.tolist() if one in place]
        return ids[order], found[order]

    def blocks(
        self, connection: Connection, model_id: int
    ) -> Iterator[tuple[Int64[np.ndarray, "video"], Float32[np.ndarray, "video dim"]]]:
        """Yield the vectors in the order of their videos."""
        model = find_model(connection, model_id)
        after, step = -1, block_rows(model.width)
        while True:
            query = (
                f"SELECT video_id, embedding FROM vectors WHERE model_id = {model.id} "
                f"AND video_id > {after} ORDER BY video_id LIMIT {step}"
            )
            ids, found = copy_vectors(connection, query, model.width)
            if not len(ids):
                return
            yield ids, found
            after = int(ids[-1])

    def nearest(
        self,
        connection: Connection,
        model_id: int,
        queries: Float[np.ndarray, "query dim"],
        k: int,
        *,
        within: Sequence[int] | Int64[np.ndarray, "video"] | None = None,
    ) -> list[NearestVideos]:
        """Return the nearest videos: from the index, which may miss some, where computing all would take long.

        Few vectors, few videos in `within`, and models of another distance than cosine are searched exactly.
        """
        model = model_of(connection, model_id, queries.shape[1])
        wanted = None if within is None else np.unique(np.asarray(within, np.int64))
        narrow = wanted is not None and len(wanted) <= EXACT_WITHIN
        indexed = model.distance == "cosine" and self._index_of(connection, model) is not None
        if narrow or not indexed or self._count(connection, model) <= self._exact_below:
            return self._exactly(connection, model, queries, k, wanted)
        ef = min(MOST_EF_SEARCH, max(EF_SEARCH, SPARE * k))
        for name, value in (
            ("hnsw.ef_search", ef),
            ("hnsw.iterative_scan", "relaxed_order"),
            ("hnsw.max_scan_tuples", MAX_SCAN_TUPLES),
        ):
            connection.execute(select(func.set_config(name, str(value), True)))
        rough = [self._candidates(connection, model, query, SPARE * k, wanted) for query in queries]
        return [
            _search(model, query[None], k, [self.get(connection, model.id, found)])[0]
            for query, found in zip(queries, rough, strict=True)
        ]

    def remove(self, connection: Connection, video_ids: Sequence[int], *, but: int | None = None) -> int:
        """Remove the vectors of videos; PostgreSQL frees their pages by VACUUM."""
        removed = 0
        for start in range(0, len(video_ids), AT_ONCE):
            chosen = [int(one) for one in video_ids[start : start + AT_ONCE]]
            whose = true() if but is None else table.c.model_id != but
            gone = delete(table).where(table.c.video_id.in_(chosen), whose)
            removed += connection.execute(gone).rowcount
        return removed

    def drop(self, connection: Connection, model_id: int) -> None:
        """Remove all vectors of a model, and its index once the transaction is kept."""
        connection.execute(delete(table).where(table.c.model_id == model_id))
        after_commit(connection, partial(self._drop_index, _index_name(model_id)))

    def prepare(self, model_id: int) -> bool:
        """Build the model's index, if it needs one, while others read and write."""
        with self._database.read() as connection:
            model = find_model(connection, model_id)
            there = self._index_of(connection, model) is not None
            few = self._count(connection, model) <= self._exact_below
        if model.width > WIDEST_INDEX or model.distance != "cosine" or there or few:
            return True
        name = _index_name(model.id)
        with self._alone() as connection:
            # Tried and not waited for: who waits here has a snapshot, which the building of the index waits for.
            lock = {"lock": LOCK + model.id}
            if not connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), lock):
                return False
            try:
                connection.execute(
                    _drop(name)
                )  # one that was interrupted stays behind, invalid, under its name
                connection.execute(
                    text(
                        f"CREATE INDEX CONCURRENTLY {name} ON vectors "
                        f"USING hnsw ((embedding::halfvec({model.width})) halfvec_cosine_ops) "
                        f"WITH (m = 16, ef_construction = 128) WHERE model_id = {model.id}"
                    )
                )
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:lock)"), lock)
        return True

    def tidy(self) -> None:
        """Drop the indexes of models that are gone; after its pages PostgreSQL looks itself."""
        with self._database.read() as connection:
            kept = {_index_name(one) for one in connection.scalars(select(models.c.id))}
            query = text("SELECT relname FROM pg_class WHERE relkind = 'i' AND relname LIKE :like")
            lying = connection.scalars(query, {"like": f"{INDEX}%"}).all()
        for name in set(lying) - kept:
            self._drop_index(name)

    @contextmanager
    def _alone(self) -> Iterator[Connection]:
        """Give a connection for statements that PostgreSQL allows in no transaction, and that keep nobody waiting."""
        with self._database.engine.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    def _drop_index(self, name: str) -> None:
        with self._alone() as connection:
            connection.execute(_drop(name))

    def _exactly(
        self,
        connection: Connection,
        model: ModelRecord,
        queries: Float[np.ndarray, "query dim"],
        k: int,
        wanted: Int64[np.ndarray, "video"] | None,
    ) -> list[NearestVideos]:
        if wanted is not None and len(wanted) <= EXACT_WITHIN:
            return _search(model, queries, k, [self.get(connection, model.id, wanted.tolist())])
        blocks = self.blocks(connection, model.id)
        if wanted is None:
            return _search(model, queries, k, blocks)
        kept = ((ids, block, np.isin(ids, wanted, assume_unique=True)) for ids, block in blocks)
        return _search(model, queries, k, ((ids[mask], block[mask]) for ids, block, mask in kept))

    def _candidates(
        self,
        connection: Connection,
        model: ModelRecord,
        query: Float[np.ndarray, "dim"],
        most: int,
        wanted: Int64[np.ndarray, "video"] | None,
    ) -> list[int]:
        """Videos that are near by the index; with a filter it goes on until it has enough."""
        chosen = "" if wanted is None else "AND video_id = ANY(:within)"
        # The model's number as a literal: only so does the planner see that the partial index serves.
        statement = text(
            f"SELECT video_id FROM vectors WHERE model_id = {model.id} {chosen} "
            f"ORDER BY embedding::halfvec({model.width}) <=> CAST(:query AS halfvec({model.width})) LIMIT {most}"
        )
        values: dict[str, object] = {"query": f"[{','.join(f'{one:.7g}' for one in query.tolist())}]"}
        if wanted is not None:
            values["within"] = wanted.tolist()
        return [int(one) for one in connection.execute(statement, values).scalars()]

    def _index_of(self, connection: Connection, model: ModelRecord) -> str | None:
        """The model's index, if it is whole."""
        query = text(
            "SELECT relname FROM pg_class JOIN pg_index ON indexrelid = oid WHERE relname = :name AND indisvalid"
        )
        found: str | None = connection.scalar(query, {"name": _index_name(model.id)})
        return found

    def _count(self, connection: Connection, model: ModelRecord) -> int:
        """How many vectors the model has, counted no farther than needed."""
        some = select(table.c.video_id).where(table.c.model_id == model.id).limit(self._exact_below + 1)
        return connection.scalar(select(func.count()).select_from(some.subquery())) or 0


def _search(
    model: ModelRecord,
    queries: Float[np.ndarray, "query dim"],
    k: int,
    blocks: Iterable[tuple[Int64[np.ndarray, "video"], Float32[np.ndarray, "video dim"]]],
) -> list[NearestVideos]:
    count = len(queries)
    sweep = Sweep(queries, np.arange(count), model.distance, np.full(count, np.inf), k)
    for ids, block in blocks:
        sweep(ids, block)
    return [NearestVideos(found.ids, found.distances) for found in sweep.found()]


def _index_name(model_id: int) -> str:
    return f"{INDEX}{int(model_id)}"


def _drop(index: str) -> TextClause:
    return text(f"DROP INDEX CONCURRENTLY IF EXISTS {index}")
