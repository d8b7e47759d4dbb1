"""An installation: made in a folder, opened from it, and what it consists of."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import insert, select

from tagtower.config.installation import FILE, InstallationSettings, load_installation_settings
from tagtower.errors import ConflictError, UsageError
from tagtower.library.database import Database
from tagtower.library.migrate import check_schema, schema_of, upgrade
from tagtower.library.schema import facts
from tagtower.storage.atomic import atomic_path
from tagtower.storage.media_store import MediaStore, media_store

DATABASE, MEDIA, MODELS, VECTORS, FEATURES = "library.sqlite", "media", "models", "vectors", "features"

FILE_TEXT = """\
# The settings of this TagTower installation; what is not named here has its default.
# docs/reference/installation.md lists every key. The addresses of the database and of the media may also come from
# TAGTOWER_DATABASE_URL and TAGTOWER_MEDIA_URL, which come first.
"""


def now() -> datetime:
    """Return the moment, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Installation:
    """An open installation; `clock` tells the time, so that tests may set it."""

    home: Path
    id: str
    settings: InstallationSettings
    database: Database
    media: MediaStore
    clock: Callable[[], datetime] = now

    @property
    def models(self) -> Path:
        """The folder of model folders."""
        return self.home / MODELS

    @property
    def vectors(self) -> Path:
        """The folder of segment files, where the database keeps no vectors itself."""
        return self.home / VECTORS

    @property
    def features(self) -> Path:
        """The folder of the feature store that the workers share."""
        return self.home / FEATURES


def init(home: Path, *, upgrade_schema: bool = False, environment: Mapping[str, str] | None = None) -> str:
    """Make an installation in the folder `home`, which may exist if it is empty, and return its id.

    Args:
        upgrade_schema: bring an existing installation to this program's schema instead.
    Raises:
        ConflictError: there is one already, or the database belongs to another.
    """
    exists = (home / FILE).exists()
    if exists and not upgrade_schema:
        raise ConflictError(f"{home} is an installation already.", hint="Upgrade it with: --upgrade")
    if not exists and upgrade_schema:
        raise UsageError(f"{home} is no installation.", hint="Make one with: tagtower init HOME")
    if not exists and home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise UsageError(f"{home} is not an empty folder.", hint="Give the name of a new folder.")
    home.mkdir(parents=True, exist_ok=True)
    settings = load_installation_settings(home, environment)
    with _database(home, settings) as database:
        if not exists and schema_of(database) is not None:
            raise ConflictError(
                "The database holds an installation already.",
                hint="Give an empty database, or copy the folder of that installation.",
            )
        upgrade(database)
        with database.write() as connection:
            name = connection.scalar(select(facts.c.value).where(facts.c.name == "installation"))
            if name is None:
                name = secrets.token_hex(8)
                made = {"installation": name, "created": now().isoformat()}
                connection.execute(
                    insert(facts), [{"name": key, "value": value} for key, value in made.items()]
                )
    for folder in (MODELS, VECTORS, FEATURES):
        (home / folder).mkdir(exist_ok=True)
    if not exists:
        with atomic_path(home / FILE) as partial:
            partial.write_text(FILE_TEXT, encoding="utf-8")
    return str(name)


@contextmanager
def open_installation(
    home: Path,
    *,
    environment: Mapping[str, str] | None = None,
    clock: Callable[[], datetime] = now,
) -> Iterator[Installation]:
    """Open the installation in the folder `home`.

    Raises:
        UsageError: there is none.
        DatabaseError: its database is gone, or of another version.
    """
    if not (home / FILE).exists():
        raise UsageError(f"{home} is no installation.", hint="Make one with: tagtower init HOME")
    settings = load_installation_settings(home, environment)
    with _database(home, settings) as database:
        check_schema(database)
        with database.read() as connection:
            name = connection.scalar(select(facts.c.value).where(facts.c.name == "installation"))
        media = media_store(settings.places.media_url or home / MEDIA)
        yield Installation(home.resolve(), str(name), settings, database, media, clock)


def _database(home: Path, settings: InstallationSettings) -> Database:
    url = settings.places.database_url
    return Database.file(home.resolve() / DATABASE) if url is None else Database(url)
