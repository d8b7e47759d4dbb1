"""Restoring a backup into a new folder and an empty database of either engine.

Every file is compared with its hash before anything is written. The folder appears when all is in it; a database
server is filled in one transaction before that.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from sqlalchemy import Connection

from tagtower.config.installation import FILE, load_installation_settings
from tagtower.errors import ConflictError, DatabaseError, StorageError, UsageError
from tagtower.library.database import Database
from tagtower.library.dump import SUFFIX, dumped_tables, load_table, set_numbers
from tagtower.library.migrate import downgrade, known_schemas, newest_schema, schema_of, upgrade
from tagtower.library.vectors import VectorStore, vector_store
from tagtower.storage.atomic import atomic_folder
from tagtower.storage.hashing import hash_file, hash_json
from tagtower.storage.media_store import KEY, media_store
from tagtower.usecases.installation.backup import (
    DESCRIPTION,
    FORMAT,
    IDS,
    MEDIA_LIST,
    NUMBERS,
    TABLES,
    media_listed,
)
from tagtower.usecases.installation.home import DATABASE, FEATURES, FILE_TEXT, MEDIA, MODELS, VECTORS

VECTORS_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class Described:
    """What a backup says of itself."""

    folder: Path
    made: str
    schema: str
    installation: str
    with_media: bool
    rows: Mapping[str, int]
    numbers: Mapping[str, int]
    vectors: Mapping[str, int]
    files: Mapping[str, Mapping[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return {
            "backup": str(self.folder),
            "made": self.made,
            "schema_revision": self.schema,
            "installation": self.installation,
            "with_media": self.with_media,
            "rows": dict(self.rows),
            "files": len(self.files),
        }


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What was restored; `missing` counts stored media that are neither in the backup nor in the media store."""

    home: Path
    installation: str
    made: str
    videos: int
    vectors: int
    media: int
    missing: int

    def to_json(self) -> dict[str, Any]:
        """Return the report for a reader of JSON."""
        return {
            "home": str(self.home),
            "installation": self.installation,
            "made": self.made,
            "videos": self.videos,
            "vectors": self.vectors,
            "media": self.media,
            "missing": self.missing,
        }


def check_backup(folder: Path) -> Described:
    """Return what a backup says of itself, once every file of it was found as it was written.

    Raises:
        StorageError: there is none, or it is damaged; it names the file.
        DatabaseError: it was made by a newer program.
    """
    described = _described(folder)
    if described.schema not in known_schemas():
        raise DatabaseError(
            f"{folder}: the backup has the schema {described.schema}, which this program does not know; the newest "
            f"it knows is {newest_schema()}.",
            hint="It was made by a newer TagTower. Install that version.",
        )
    for name, facts in described.files.items():
        path = folder / name
        if not path.is_file():
            raise StorageError(f"{path}: is missing from the backup.", hint="Restore another backup.")
        if path.stat().st_size != facts["bytes"] or hash_file(path) != facts["sha256"]:
            raise StorageError(f"{path}: is not as it was written.", hint="Restore another backup.")
    return described


def restore_backup(
    folder: Path, home: Path, *, environment: Mapping[str, str] | None = None
) -> RestoreReport:
    """Make the installation `home` from a backup; its database is of the engine that the environment names.

    Raises:
        StorageError: the backup is damaged, or the disk is full; nothing is left of `home` then.
        DatabaseError: the backup was made by a newer program, or the database is gone.
        UsageError: `home` is not a new or empty folder.
        ConflictError: the database holds an installation already.
    """
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise UsageError(f"{home} is not an empty folder.", hint="Restore into a new folder.")
    described = check_backup(folder)
    environment = os.environ if environment is None else environment
    with atomic_folder(home) as partial:
        settings_text = folder / FILE
        text = settings_text.read_text(encoding="utf-8") if settings_text.exists() else FILE_TEXT
        (partial / FILE).write_text(text, encoding="utf-8")
        for name in (MODELS, VECTORS, FEATURES):
            (partial / name).mkdir()
        _copy_models(described, partial)
        settings = load_installation_settings(partial, environment)
        media, missing = _restore_media(described, settings.places.media_url or partial / MEDIA)
        url = settings.places.database_url
        with Database.file(partial / DATABASE) if url is None else Database(url) as database:
            vectors = _fill(described, database, vector_store(database, partial / VECTORS))
    return RestoreReport(
        home=home,
        installation=described.installation,
        made=described.made,
        videos=described.rows.get("videos", 0),
        vectors=vectors,
        media=media,
        missing=missing,
    )


def _described(folder: Path) -> Described:
    path = folder / DESCRIPTION
    wrong = StorageError(
        f"{path}: there is no backup, or it is damaged.", hint="Give the folder of a backup."
    )
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        seal = found.pop("seal")
        if hash_json(found) != seal:
            raise wrong
        if found["format"] != FORMAT:
            raise StorageError(
                f"{folder}: the backup has the format {found['format']}, and this program reads {FORMAT}.",
                hint="Restore it with the TagTower that made it.",
            )
        names = ("made", "schema", "installation", "with_media", "rows", "numbers", "vectors", "files")
        described = Described(folder, **{name: found[name] for name in names})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise wrong from None
    if any(
        PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts for name in described.files
    ):
        raise wrong
    return described


def _copy_models(described: Described, home: Path) -> None:
    for name in described.files:
        if PurePosixPath(name).parts[0] == MODELS:
            target = home / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((described.folder / name).read_bytes())


def _restore_media(described: Described, place: str | Path) -> tuple[int, int]:
    """Put the media of a backup into the store; return how many, and how many are in neither."""
    store = media_store(place)
    put = missing = 0
    for one in media_listed(described.folder / MEDIA_LIST):
        key = str(one["key"])
        source = described.folder / MEDIA / key
        if KEY.fullmatch(key) and f"{MEDIA}/{key}" in described.files:
            store.put(source, source.suffix)
            put += 1
        elif not store.exists(key):
            missing += 1
    return put, missing


def _fill(described: Described, database: Database, store: VectorStore) -> int:
    if schema_of(database) is not None:
        raise ConflictError(
            "The database holds an installation already.", hint="Restore into an empty database."
        )
    upgrade(database, described.schema)
    try:
        with database.write() as connection:
            vectors = _load(connection, described, store)
    except BaseException:
        downgrade(database, "base")  # so that the database can be tried again
        raise
    upgrade(database)
    return vectors


def _load(connection: Connection, described: Described, store: VectorStore) -> int:
    for table in dumped_tables():
        if table.name not in described.rows:
            continue
        wanted = described.rows[table.name]
        count = load_table(connection, table.name, described.folder / TABLES / f"{table.name}{SUFFIX}")
        if count != wanted:
            raise StorageError(
                f"{described.folder}: the table {table.name} has {count:,} rows, not {wanted:,}.",
                hint="Restore another backup.",
            )
    set_numbers(connection, described.numbers)
    return sum(
        _load_vectors(connection, described, store, int(model), count)
        for model, count in described.vectors.items()
    )


def _load_vectors(
    connection: Connection, described: Described, store: VectorStore, model: int, count: int
) -> int:
    folder = described.folder / VECTORS
    ids = np.fromfile(folder / f"{model}.ids", IDS)
    if len(ids) != count:
        raise StorageError(f"{folder}: vectors are missing.", hint="Restore another backup.")
    if not count:
        return 0
    flat = np.memmap(folder / f"{model}.vectors", NUMBERS, mode="r")
    vectors = flat.reshape(count, -1)
    for start in range(0, count, VECTORS_AT_ONCE):
        part = slice(start, start + VECTORS_AT_ONCE)
        store.add(connection, model, ids[part].tolist(), np.array(vectors[part], np.float32))
    return count
