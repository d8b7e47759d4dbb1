"""Search by the HNSW index finds nearly what exact search does, also under filters, and its index comes and goes."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import text

from tagtower.library.database import Database
from tagtower.library.vectors import PgVectors

WIDTH = 32


@pytest.fixture
def store(database: Database) -> PgVectors:
    if database.dialect != "postgresql":
        pytest.skip("only PostgreSQL has the index")
    return PgVectors(database, exact_below=0)


def made(count: int, seed: int) -> np.ndarray:
    """Vectors in fifty clusters, as videos are."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(0).standard_normal((50, WIDTH))
    found = centres[random.integers(50, size=count)] + 0.7 * random.standard_normal((count, WIDTH))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def indexes(database: Database) -> list[str]:
    query = text("SELECT indexname FROM pg_indexes WHERE tablename = 'vectors' AND indexname LIKE '%hnsw%'")
    with database.read() as connection:
        return list(connection.execute(query).scalars())


def test_the_index_finds_what_exact_search_finds(
    database, store, enter_model, videos_of, monkeypatch
) -> None:
    model, ids = enter_model("a", width=WIDTH), videos_of(3000)
    with database.write() as connection:
        store.add(connection, model.id, ids, made(3000, 1))
    store.prepare(model.id)
    store.prepare(model.id)
    assert indexes(database) == [f"ix_vectors_hnsw_{model.id}"]
    monkeypatch.setattr("tagtower.library.vectors.pgvectors.EXACT_WITHIN", 100)
    queries, exact = made(20, 2), PgVectors(database, exact_below=10**9)
    with database.write() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        for within in (None, ids[::5], ids[::50]):
            expected = exact.nearest(connection, model.id, queries, 10, within=within)
            found = store.nearest(connection, model.id, queries, 10, within=within)
            same = [
                len(np.intersect1d(one.ids, other.ids)) for one, other in zip(expected, found, strict=True)
            ]
            assert sum(same) >= 0.99 * 10 * 20
            assert all(np.all(np.diff(one.distances) >= 0) for one in found)
        plan = "\n".join(
            connection.execute(
                text(
                    f"EXPLAIN SELECT video_id FROM vectors WHERE model_id = {model.id} ORDER BY "
                    f"embedding::halfvec({WIDTH}) <=> CAST('[{','.join(['1'] * WIDTH)}]' AS halfvec({WIDTH})) LIMIT 9"
                )
            ).scalars()
        )
        assert "ix_vectors_hnsw" in plan
    with database.write() as connection:
        store.drop(connection, model.id)
    assert indexes(database) == []


def test_an_index_that_was_interrupted_is_built_anew(database, store, enter_model, videos_of) -> None:
    model, ids = enter_model("a", width=WIDTH), videos_of(50)
    with database.write() as connection:
        store.add(connection, model.id, ids, made(50, 1))
    store.prepare(model.id)
    name = f"ix_vectors_hnsw_{model.id}"
    with database.write() as connection:
        connection.execute(
            text("UPDATE pg_index SET indisvalid = false WHERE indexrelid = CAST(:name AS regclass)"),
            {"name": name},
        )
    with database.read() as connection:
        assert len(store.nearest(connection, model.id, made(1, 3), 5)[0].ids) == 5
    store.prepare(model.id)
    query = text("SELECT indisvalid FROM pg_index WHERE indexrelid = CAST(:name AS regclass)")
    with database.read() as connection:
        assert connection.scalar(query, {"name": name})
