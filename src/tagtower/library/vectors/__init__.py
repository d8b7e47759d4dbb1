"""The vectors of stored videos, by model: in segment files beside a SQLite database, or in PostgreSQL itself."""

from __future__ import annotations

from pathlib import Path

from tagtower.library.database import Database
from tagtower.library.vectors.pgvectors import PgVectors
from tagtower.library.vectors.segments import SegmentVectors
from tagtower.library.vectors.store import NearestVideos, VectorStore

__all__ = ["NearestVideos", "PgVectors", "SegmentVectors", "VectorStore", "vector_store"]


def vector_store(database: Database, folder: Path) -> VectorStore:
    """Return where a database's vectors are kept; `folder` holds the segment files, if there are any."""
    if database.dialect == "postgresql":
        return PgVectors(database)
    return SegmentVectors(database, folder)
