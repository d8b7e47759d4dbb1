"""Backing an installation up: one moment of it in a folder that either engine can be restored from.

    backup.json          what it is, the version of its schema, and the hash of every other file
    tables/*.jsonl.gz    the rows of each table
    vectors/*            of each model, the numbers of videos and their vectors, raw and little-endian
    models/              the model folders
    media.jsonl.gz       every stored medium with its hash, and with media/ the media themselves, if asked for
    installation.toml    the settings, without the addresses of database and media, which may hold secrets

Rows and vectors are read in one transaction, so others may write meanwhile. Features are not part of it: they are
computed again when they are needed.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, select

from tagtower.config.installation import FILE
from tagtower.errors import ConflictError, StorageError, UsageError
from tagtower.library.dump import FASTEST, SUFFIX, dump_table, dumped_tables, given_numbers
from tagtower.library.migrate import newest_schema
from tagtower.library.schema import erasing, erasures, models, videos
from tagtower.library.vectors import vector_store
from tagtower.storage.atomic import atomic_folder, write_json
from tagtower.storage.hashing import hash_file, hash_json
from tagtower.usecases.installation.home import MEDIA, MODELS, VECTORS, Installation

FORMAT = 1
DESCRIPTION, TABLES, MEDIA_LIST = "backup.json", "tables", f"media{SUFFIX}"
IDS, NUMBERS = "<i8", "<f4"
TRIES = 3
"""What is erased while a backup is made must not be in it, so that it is made again."""


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What a backup holds; `missing` are stored media that were not in the store."""

    path: Path
    videos: int
    vectors: int
    models: int
    media: int
    missing: tuple[str, ...]
    bytes: int

    def to_json(self) -> dict[str, Any]:
        """Return the report for a reader of JSON."""
        return {
            "out": str(self.path),
            "videos": self.videos,
            "vectors": self.vectors,
            "models": self.models,
            "media": self.media,
            "missing": list(self.missing),
            "bytes": self.bytes,
        }


class _ErasedMeanwhileError(Exception):
    """The moment that was being written down holds something that was erased since."""


def create_backup(installation: Installation, out: Path, *, with_media: bool = False) -> BackupReport:
    """Write a backup to the new folder `out`, whole or not at all.

    Args:
        with_media: copy the stored media too. Media that are only referred to are never copied.
    Raises:
        UsageError: `out` exists.
        ConflictError: videos are being erased all the time.
        StorageError: the disk is full, or a model's folder is gone.
    """
    if out.exists():
        raise UsageError(f"{out} exists.", hint="Give the name of a new folder.")
    for _ in range(TRIES):
        try:
            with atomic_folder(out) as partial:
                report = _write(installation, partial, out, with_media)
            return report
        except _ErasedMeanwhileError:
            continue
    raise ConflictError("Videos are being erased, again and again.", hint="Back up when that is done.")


def _write(installation: Installation, folder: Path, out: Path, with_media: bool) -> BackupReport:
    for name in (TABLES, VECTORS, MODELS):
        (folder / name).mkdir()
    with installation.database.read() as connection:
        erased = _erasures(connection)
        counts = {
            table.name: dump_table(connection, table, folder / TABLES / f"{table.name}{SUFFIX}")
            for table in dumped_tables()
        }
        vectors = _write_vectors(installation, connection, folder / VECTORS)
        folders = list(connection.scalars(select(models.c.folder)))
        media = _write_media_list(connection, folder / MEDIA_LIST)
        numbers = given_numbers(connection)
    for name in folders:
        _copy_model(installation.models, name, folder / MODELS)
    missing = list(_copy_media(installation, folder / MEDIA_LIST, folder / MEDIA)) if with_media else []
    settings = installation.home / FILE
    if settings.exists():
        (folder / FILE).write_text(without_places(settings.read_text(encoding="utf-8")), encoding="utf-8")
    with installation.database.read() as connection:
        if _erasures(connection) != erased:
            raise _ErasedMeanwhileError
    files: dict[str, dict[str, Any]] = {
        path.relative_to(folder).as_posix(): {"sha256": hash_file(path), "bytes": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    described: dict[str, Any] = {
        "format": FORMAT,
        "made": installation.clock().isoformat(),
        "tagtower": version("tagtower"),
        "schema": newest_schema(),
        "installation": installation.id,
        "engine": installation.database.dialect,
        "with_media": with_media,
        "rows": counts,
        "numbers": numbers,
        "vectors": vectors,
        "files": files,
    }
    write_json(folder / DESCRIPTION, {**described, "seal": hash_json(described)})
    return BackupReport(
        path=out,
        videos=counts["videos"],
        vectors=sum(vectors.values()),
        models=len(folders),
        media=media - len(missing) if with_media else 0,
        missing=tuple(missing),
        bytes=sum(int(str(one["bytes"])) for one in files.values()),
    )


def _erasures(connection: Connection) -> tuple[int, int]:
    """The marks of erasures: a new one changes the one or the other."""
    proofs = connection.scalar(select(func.max(erasures.c.id))) or 0
    return proofs, connection.scalar(select(func.max(erasing.c.id))) or 0


def _write_vectors(installation: Installation, connection: Connection, folder: Path) -> dict[str, int]:
    """Write the vectors of every model, and return by its number how many they are."""
    store = vector_store(installation.database, installation.vectors)
    counts: dict[str, int] = {}
    for model in connection.scalars(select(models.c.id).order_by(models.c.id)).all():
        count = 0
        with (folder / f"{model}.ids").open("wb") as ids, (folder / f"{model}.vectors").open("wb") as rows:
            for some, vectors in store.blocks(connection, model):
                ids.write(np.asarray(some, IDS).tobytes())
                rows.write(np.asarray(vectors, NUMBERS).tobytes())
                count += len(some)
        counts[str(model)] = count
    return counts


def _write_media_list(connection: Connection, path: Path) -> int:
    rows = connection.execution_options(yield_per=1000).execute(
        select(videos.c.media, videos.c.content_hash, videos.c.bytes)
        .where(videos.c.stored)
        .order_by(videos.c.id)
    )
    count = 0
    with gzip.open(path, "wt", compresslevel=FASTEST, encoding="utf-8", newline="\n") as file:
        for key, content_hash, size in rows:
            file.write(json.dumps({"key": key, "sha256": content_hash, "bytes": size}) + "\n")
            count += 1
    return count


def media_listed(path: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the media of a list: `key`, `sha256` and `bytes`."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def _copy_model(source: Path, name: str, target: Path) -> None:
    if not re.fullmatch(r"[^/\\]{1,255}", name) or name in (".", ".."):
        raise StorageError(f"{name!r} is no folder of a model.", hint="The database may be damaged.")
    try:
        shutil.copytree(source / name, target / name)
    except (FileNotFoundError, shutil.Error) as fault:
        raise StorageError(
            f"{source / name}: the model cannot be copied: {fault}.",
            hint="Put its folder back, or remove the model, and try again.",
        ) from fault


def _copy_media(installation: Installation, listed: Path, folder: Path) -> Iterator[str]:
    """Copy every stored medium, and yield the keys of those that are not there."""
    folder.mkdir()
    for one in media_listed(listed):
        key = str(one["key"])
        if not installation.media.exists(key):
            yield key
            continue
        target = folder / key
        target.parent.mkdir(exist_ok=True)
        with installation.media.local(key) as path:
            shutil.copyfile(path, target)
        if hash_file(target) != one["sha256"]:
            target.unlink()
            yield key


def without_places(settings: str) -> str:
    """Return the text of a settings file without the table of places, whose addresses may hold secrets."""
    kept, inside = [], False
    for line in settings.splitlines(keepends=True):
        bare = line.strip()
        if bare.startswith("["):
            inside = re.match(r"\[\s*places\b", bare) is not None
        if not inside and not re.match(r"[\"']?places[\"']?\s*[.=]", bare):
            kept.append(line)
    return "".join(kept)
