"""An installation on each engine, with a clock that the tests set, and stored videos with suggestions and verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert

if TYPE_CHECKING:
    from tagtower.library.database import Database
    from tagtower.usecases.installation.home import Installation

START = datetime(2030, 1, 1, 12, tzinfo=UTC)


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    now: datetime = field(default=START)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def installation(database: Database, tmp_path: Path, clock: Clock) -> Installation:
    """An empty installation on the database of the test."""
    from tagtower.config.installation import InstallationSettings
    from tagtower.storage.media_store import media_store
    from tagtower.usecases.installation.home import Installation

    media = media_store(tmp_path / "media")
    return Installation(tmp_path, "0" * 16, InstallationSettings(), database, media, clock)


@pytest.fixture
def sqlite_installation(tmp_path: Path, clock: Clock) -> Iterator[Installation]:
    """An empty installation in a folder, for tests that one engine is enough for."""
    from tagtower.usecases.installation.home import init, open_installation

    init(tmp_path / "home", environment={})
    with open_installation(tmp_path / "home", environment={}, clock=clock) as opened:
        yield opened


@dataclass(frozen=True)
class Archive:
    """An active model and stored videos, by number."""

    model: int
    videos: list[int]


@pytest.fixture
def archive(installation: Installation) -> Archive:
    """Three labelled videos and an active model."""
    return fill(installation)


def fill(installation: Installation) -> Archive:
    from tagtower.library import schema

    at = installation.clock()
    with installation.database.write() as connection:
        row = {
            "name": "first", "folder": "first", "fingerprint": "f" * 64, "vector_fingerprint": "e" * 64,
            "width": 4, "state": "active", "added_at": at, "distance": "cosine",
        }  # fmt: skip
        known = {name: value for name, value in row.items() if name in schema.models.c}
        model = connection.execute(insert(schema.models).values(known)).inserted_primary_key[0]
        videos = [
            connection.execute(
                insert(schema.videos).values(title=f"video {n}", added_at=at, shelf="labelled", shelved_at=at)
            ).inserted_primary_key[0]
            for n in range(3)
        ]
    return Archive(model, videos)


@pytest.fixture(scope="session")
def others(job, tmp_path_factory) -> list[Path]:
    """Folders of two more models, `second` and `third`, which were not trained."""
    from tagtower.towers import build_two_tower, save_model

    folder = tmp_path_factory.mktemp("models")
    for name, width in (("second", 8), ("third", 12)):
        settings = job.settings(f"fusion.width={width}")
        save_model(folder / name, build_two_tower(settings, ["a walk"], ["red"]), ["red"], {}, "a card")
    return [folder / "second", folder / "third"]
