"""Models and videos to hang vectors on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert

from tagtower.index.exact import DistanceKind
from tagtower.library.database import Database
from tagtower.library.models import ModelRecord, NewModel, add_model
from tagtower.library.schema import videos
from tagtower.library.vectors import VectorStore, vector_store

AT = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture
def enter_model(database: Database) -> Callable[..., ModelRecord]:
    """Adds a model; `vectors` is its vector fingerprint, its own by default."""

    def enter(
        name: str, *, width: int = 8, distance: DistanceKind = "cosine", vectors: str | None = None
    ) -> ModelRecord:
        with database.write() as connection:
            model = NewModel(name, name, f"m-{name}", vectors or f"v-{name}", width, distance, {})
            return add_model(connection, model, AT)

    return enter


@pytest.fixture
def store(database: Database, tmp_path) -> VectorStore:
    return vector_store(database, tmp_path / "vectors")


@pytest.fixture
def videos_of(database: Database) -> Callable[[int], list[int]]:
    """Enters so many labelled videos and returns their ids."""

    def enter(count: int) -> list[int]:
        with database.write() as connection:
            return list(
                connection.scalars(
                    insert(videos).returning(videos.c.id),
                    [
                        {"title": f"video {one}", "added_at": AT, "shelf": "labelled", "shelved_at": AT}
                        for one in range(count)
                    ],
                )
            )

    return enter
