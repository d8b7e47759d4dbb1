"""Rows of a library on each engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from ..library_rows import Rows

if TYPE_CHECKING:
    from tagtower.library.database import Database


@pytest.fixture
def rows(database: Database) -> Rows:
    """Writes rows straight into the tables."""
    return Rows(database)


@pytest.fixture
def texts_of(database: Database) -> Callable[[int, int | None], list[tuple[str, str]]]:
    """The shown tags of a video with their origins."""
    from tagtower.library.videos.shown import shown_tags

    def texts(video: int, model: int | None) -> list[tuple[str, str]]:
        with database.read() as connection:
            return [(one.tag, one.origin) for one in shown_tags(connection, [video], model).get(video, ())]

    return texts
