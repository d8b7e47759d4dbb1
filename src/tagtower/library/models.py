"""The models of an installation as the database knows them: which there are, which is active, and how it changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, Row, func, insert, select, update

from tagtower.errors import ConflictError, NotFoundError
from tagtower.index.exact import DistanceKind
from tagtower.library.schema import builds, models, vectors, verdicts, videos

ModelState: TypeAlias = Literal["building", "ready", "active", "retired"]


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A model: its name, its folder below the installation's models, what its vectors are, and its state.

    A model is `building` until it has the vector of every labelled video, then `ready`, `active` once promoted, and
    `retired` when another was promoted in its place. `replaced` is the model that was active at its promotion.
    """

    id: int
    name: str
    folder: str
    fingerprint: str
    vector_fingerprint: str
    width: int
    distance: DistanceKind
    state: ModelState
    metrics: dict[str, Any] | None
    added_at: datetime
    promoted_at: datetime | None
    replaced: int | None

    def to_json(self) -> dict[str, Any]:
        """Return the record, less the metrics of its training."""
        return {
            "id": self.id,
            "name": self.name,
            "state": self.state,
            "fingerprint": self.fingerprint,
            "vector_fingerprint": self.vector_fingerprint,
            "width": self.width,
            "distance": self.distance,
            "added_at": self.added_at.isoformat(),
            "promoted_at": None if self.promoted_at is None else self.promoted_at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class NewModel:
    """What is known of a model that is about to be added."""

    name: str
    folder: str
    fingerprint: str
    vector_fingerprint: str
    width: int
    distance: DistanceKind
    metrics: Mapping[str, Any]


def active_model(connection: Connection, *, lock: bool = False) -> ModelRecord | None:
    """Return the active model, None before the first one.

    Args:
        lock: keep it active until the transaction ends: a promotion waits. Whoever writes results of the active
            model asks for it in the same transaction, so that none is written for a model that was just replaced.
    """
    query = select(models).where(models.c.state == "active")
    if lock:
        query = query.with_for_update(read=True)
    row = connection.execute(query).first()
    if row is None and lock:
        # On PostgreSQL a reader that waited for a promotion finds the old row changed and has not seen the new one.
        row = connection.execute(query).first()
    return None if row is None else _record(row)


def find_model(
    connection: Connection,
    name: str | int | None = None,
    *,
    fingerprint: str | None = None,
    lock: bool = False,
) -> ModelRecord:
    """Return a model by its name, its id, or its fingerprint.

    Args:
        lock: keep its state as it is until the transaction ends.
    Raises:
        NotFoundError: there is none.
    """
    if fingerprint is not None:
        found = models.c.fingerprint == fingerprint
    else:
        found = (models.c.id if isinstance(name, int) else models.c.name) == name
    query = select(models).where(found)
    row = connection.execute(query.with_for_update(key_share=True) if lock else query).first()
    if row is None:
        known = connection.scalars(select(models.c.name).order_by(models.c.id)).all()
        raise NotFoundError(
            "This model is not in the installation." if name is None else f"There is no model {name!r}.",
            hint=f"Models: {', '.join(known)}." if known else "Add one with: tagtower models HOME add FOLDER",
        )
    return _record(row)


def list_models(connection: Connection) -> list[ModelRecord]:
    """Return every model, in the order in which they were added."""
    return [_record(row) for row in connection.execute(select(models).order_by(models.c.id))]


def add_model(connection: Connection, model: NewModel, at: datetime) -> ModelRecord:
    """Enter a model and return it; the first one, where no video is labelled yet, is active at once.

    Raises:
        ConflictError: there is one of the same name, or the same model under another.
    """
    lock_models(connection)
    for column, value in ((models.c.fingerprint, model.fingerprint), (models.c.name, model.name)):
        found = connection.scalar(select(models.c.name).where(column == value))
        if found is not None and column is models.c.fingerprint:
            raise ConflictError(f"This very model is there already, as {found!r}.", hint="Use that one.")
        if found is not None:
            raise ConflictError(f"There is a model {found!r} already.", hint="Give another --name.")
    active = connection.scalar(select(func.count()).where(models.c.state == "active"))
    labelled = connection.scalar(
        select(select(videos.c.id).where(videos.c.shelf == "labelled").limit(1).exists())
    )
    first = not active and not labelled
    identity = connection.execute(
        insert(models).values(
            name=model.name,
            folder=model.folder,
            fingerprint=model.fingerprint,
            vector_fingerprint=model.vector_fingerprint,
            width=model.width,
            distance=model.distance,
            metrics=dict(model.metrics),
            state="active" if first else "building",
            added_at=at,
            promoted_at=at if first else None,
        )
    ).inserted_primary_key
    assert identity is not None, "the key is given by the database"
    return find_model(connection, int(identity[0]))


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far a model has come with the labelled videos: all, those with its vector, those that failed for good."""

    labelled: int
    built: int
    failed: int

    @property
    def missing(self) -> int:
        """Labelled videos without a vector of the model, failed ones included."""
        return self.labelled - self.built


def coverage_of(connection: Connection, model_id: int, attempts: int) -> Coverage:
    """Return how far a model has come; a video has failed for good after so many attempts."""
    labelled = videos.c.shelf == "labelled"
    held = vectors.c.model_id == model_id
    # All vectors less those of videos on other shelves: both are counted from indexes, a join is ten times as long.
    others = select(videos.c.id).where(videos.c.shelf.in_(("unlabelled", "failed")))
    every = select(func.count()).where(held)
    elsewhere = select(func.count()).where(held, vectors.c.video_id.in_(others))
    failed = (
        select(func.count())
        .select_from(builds.join(videos))
        .where(
            builds.c.model_id == model_id,
            labelled,
            builds.c.attempts >= attempts,
            ~select(vectors.c.video_id).where(held, vectors.c.video_id == videos.c.id).exists(),
        )
    )
    return Coverage(
        connection.scalar(select(func.count()).where(labelled)) or 0,
        (connection.scalar(every) or 0) - (connection.scalar(elsewhere) or 0),
        connection.scalar(failed) or 0,
    )


def set_state(
    connection: Connection, model_id: int, state: ModelState, *, only: ModelState | None = None
) -> None:
    """Change the state of a model that is not active, and does not become so.

    Args:
        only: where it is in this state.
    """
    before = models.c.state != "active" if only is None else models.c.state == only
    connection.execute(update(models).where(models.c.id == model_id, before).values(state=state))


def switch_active(
    connection: Connection, model_id: int, at: datetime, *, replaces: bool
) -> ModelRecord | None:
    """Make a model the active one and retire the one before, which is returned.

    Both are rows of one table, so a reader sees the one or the other; nothing else is rewritten, whatever the number
    of videos. The caller has called `lock_models`.

    Args:
        replaces: remember the one before as where a roll-back leads; a roll-back itself leaves that as it was.
    """
    before = active_model(connection)
    if before is not None:
        connection.execute(update(models).where(models.c.id == before.id).values(state="retired"))
    new: dict[str, Any] = {"state": "active", "promoted_at": at}
    if replaces and before is not None:
        new["replaced"] = before.id
    connection.execute(update(models).where(models.c.id == model_id).values(new))
    return before


def lock_models(connection: Connection) -> None:
    """Let no other transaction add, promote or remove a model, or write under a promise of `active_model`."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("LOCK TABLE models IN SHARE ROW EXCLUSIVE MODE")
        # Waits for those who were promised that a model stays active, not for those who merely refer to one.
        connection.execute(select(models.c.id).with_for_update(key_share=True)).all()


def forget_model(connection: Connection, model_id: int) -> None:
    """Delete a model that is not active, with all that hangs on it; verdicts on its suggestions stay."""
    connection.execute(update(verdicts).where(verdicts.c.model_id == model_id).values(model_id=None))
    connection.execute(update(models).where(models.c.replaced == model_id).values(replaced=None))
    connection.execute(models.delete().where(models.c.id == model_id))


def _record(row: Row[Any]) -> ModelRecord:
    return ModelRecord(
        id=row.id,
        name=row.name,
        folder=row.folder,
        fingerprint=row.fingerprint,
        vector_fingerprint=row.vector_fingerprint,
        width=row.width,
        distance=row.distance,
        state=row.state,
        metrics=row.metrics,
        added_at=row.added_at,
        promoted_at=row.promoted_at,
        replaced=row.replaced,
    )
