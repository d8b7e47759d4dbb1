"""The models of an installation: added, promoted, rolled back and removed, while readers go on reading."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, delete, func, select

from tagtower.errors import ConflictError
from tagtower.library.events import record
from tagtower.library.models import (
    Coverage,
    ModelRecord,
    NewModel,
    active_model,
    add_model,
    coverage_of,
    find_model,
    forget_model,
    list_models,
    lock_models,
    set_state,
    switch_active,
)
from tagtower.library.schema import answers, builds, frame_vectors, suggestions, videos
from tagtower.library.sweeps import ask_for_missing
from tagtower.library.vectors import VectorStore, vector_store
from tagtower.usecases.installation.home import Installation

FOLDER_DIGITS = 32
VIDEOS_AT_ONCE = 2000
"""Videos whose answers are removed in one transaction."""


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """A model, and how far it has come with the labelled videos."""

    model: ModelRecord
    coverage: Coverage

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return {
            **self.model.to_json(),
            "labelled": self.coverage.labelled,
            "built": self.coverage.built,
            "failed": self.coverage.failed,
        }


@dataclass(frozen=True, slots=True)
class Switched:
    """A model that is active now, the one that was before, and the labelled videos that it has not seen."""

    model: ModelRecord
    before: ModelRecord | None
    missing: int
    sweeps: int

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return {
            "active": self.model.name,
            "before": None if self.before is None else self.before.name,
            "missing": self.missing,
            "sweeps": self.sweeps,
        }


def add(installation: Installation, folder: Path, name: str | None = None) -> ModelRecord:
    """Copy a model folder into the installation and enter it; return its record.

    The first model of an installation without labelled videos is active at once. Any other is built beside the active
    one until it is promoted.

    Args:
        name: by which it is called here; default that of the folder.
    Raises:
        ModelError: the folder holds no whole model.
        ConflictError: the model is there already, or another of that name.
    """
    from tagtower.towers.copying import copy_model  # brings torch, which a server need not wait for

    source = folder.resolve()
    loaded = copy_model(source, installation.models / f".adding-{secrets.token_hex(8)}")
    arrived = loaded.folder
    try:
        new = NewModel(
            name=name or source.name,
            folder=loaded.model_fingerprint[:FOLDER_DIGITS],
            fingerprint=loaded.model_fingerprint,
            vector_fingerprint=loaded.vector_fingerprint,
            width=loaded.tower.width,
            distance=loaded.tower.settings.distance.kind,
            metrics=loaded.metrics,
        )
        with installation.database.write() as connection:
            record = add_model(connection, new, installation.clock())
            target = installation.models / new.folder
            if target.exists():  # left by a program that was killed before its commit
                shutil.rmtree(target)
            arrived.rename(target)
    finally:
        shutil.rmtree(arrived, ignore_errors=True)
    return record


def status(installation: Installation, name: str | None = None) -> list[ModelStatus]:
    """Return the models, or one of them, in the order of their adding, and how far each has come.

    Raises:
        NotFoundError: there is no such model.
    """
    attempts = installation.settings.worker.attempts
    with installation.database.read() as connection:
        chosen = list_models(connection) if name is None else [find_model(connection, name)]
        return [ModelStatus(model, coverage_of(connection, model.id, attempts)) for model in chosen]


def promote(installation: Installation, name: str, *, force: bool = False) -> Switched:
    """Make a model the active one, in one transaction: a reader sees the answers of the one before or its own.

    Its vectors and suggestions lie ready beside the others, so the change itself rewrites nothing of the videos.

    Args:
        force: also where labelled videos are missing; these show no suggestions until they are built.
    Raises:
        NotFoundError: there is no such model.
        ConflictError: it is active already, or not complete.
    """
    with installation.database.write() as connection:
        lock_models(connection)
        model = find_model(connection, name)
        if model.state == "active":
            raise ConflictError(f"The model {name!r} is active already.", hint="There is nothing to do.")
        return _switch(installation, connection, model, force=force, replaces=True)


def roll_back(installation: Installation, *, force: bool = False) -> Switched:
    """Make the model active again that the active one replaced, as `promote` does.

    Raises:
        ConflictError: there is none, or it has not seen all labelled videos that came since.
    """
    with installation.database.write() as connection:
        lock_models(connection)
        active = active_model(connection)
        if active is None or active.replaced is None:
            raise ConflictError(
                "There is no model to go back to.",
                hint="Promote one of: tagtower models HOME list",
            )
        model = find_model(connection, active.replaced)
        return _switch(installation, connection, model, force=force, replaces=False)


def rebuild(installation: Installation, name: str, *, again: bool = False) -> ModelStatus:
    """Have a model built, or built on, by the workers, and return how far it has come.

    Args:
        again: from the beginning, throwing its vectors away; not the active one's.
    Raises:
        NotFoundError: there is no such model.
        ConflictError: the active model was to be built again.
    """
    vectors = vector_store(installation.database, installation.vectors)
    with installation.database.write() as connection:
        lock_models(connection)
        model = find_model(connection, name)
        if again and model.state == "active":
            raise ConflictError(
                f"The model {name!r} is active: its vectors are in use.",
                hint="Add the model to another installation, or promote another one first.",
            )
        if again:
            vectors.drop(connection, model.id)
        connection.execute(delete(builds).where(builds.c.model_id == model.id))
        coverage = coverage_of(connection, model.id, installation.settings.worker.attempts)
        if coverage.missing:
            set_state(connection, model.id, "building")
        return ModelStatus(find_model(connection, name), coverage)


def remove(installation: Installation, name: str, *, vectors: VectorStore | None = None) -> ModelRecord:
    """Remove a model that is not active, with its vectors, suggestions and folder; verdicts stay.

    Killed on the way, it is still listed, without vectors, and can be removed once more.

    Raises:
        NotFoundError: there is no such model.
        ConflictError: it is the active one.
    """
    vectors = vectors or vector_store(installation.database, installation.vectors)
    with installation.database.write() as connection:
        # Without vectors it can no longer be promoted, so what follows may take its time.
        model = _removable(connection, name)
        set_state(connection, model.id, "retired")
        vectors.drop(connection, model.id)
    for table in (suggestions, answers, frame_vectors, builds):
        _clear(installation, table, model.id)
    with installation.database.write() as connection:
        _removable(connection, name)
        vectors.drop(connection, model.id)  # what a worker built meanwhile
        forget_model(connection, model.id)
    shutil.rmtree(installation.models / model.folder, ignore_errors=True)
    return model


def _switch(
    installation: Installation, connection: Connection, model: ModelRecord, *, force: bool, replaces: bool
) -> Switched:
    coverage = coverage_of(connection, model.id, installation.settings.worker.attempts)
    if coverage.missing and not force:
        failed = f", of which {coverage.failed:,} failed" if coverage.failed else ""
        raise ConflictError(
            f"The model {model.name!r} has not seen {coverage.missing:,} of {coverage.labelled:,} labelled "
            f"videos{failed}.",
            hint="Have workers build it (tagtower models HOME build NAME), or use --force: these videos show no "
            "suggestions until they are built.",
        )
    at = installation.clock()
    before = switch_active(connection, model.id, at, replaces=replaces)
    asked = ask_for_missing(connection, model.id, at)
    done = Switched(find_model(connection, model.id), before, coverage.missing, asked)
    record(connection, "model.promoted", done.to_json(), at)
    return done


def _removable(connection: Connection, name: str) -> ModelRecord:
    model = find_model(connection, name, lock=True)  # a promotion waits
    if model.state == "active":
        raise ConflictError(
            f"The model {name!r} is active.",
            hint="Promote another one first, or roll back to the one before.",
        )
    return model


def _clear(installation: Installation, table: Table, model_id: int) -> None:
    """Delete a model's rows, so many videos at a time that nobody waits long."""
    with installation.database.read() as connection:
        last = connection.scalar(select(func.max(videos.c.id))) or 0
    for start in range(0, last + 1, VIDEOS_AT_ONCE):
        with installation.database.write() as connection:
            connection.execute(
                delete(table).where(
                    table.c.model_id == model_id,
                    table.c.video_id >= start,
                    table.c.video_id < start + VIDEOS_AT_ONCE,
                )
            )
