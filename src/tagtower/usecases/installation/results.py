"""Writing what was found for videos: vectors, suggestions and the change of shelf, all or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from sqlalchemy import Connection, delete, insert

from tagtower.library import workers
from tagtower.library.curation.committing import hold_library
from tagtower.library.events import record_many
from tagtower.library.models import ModelRecord, active_model
from tagtower.library.schema import frame_vectors
from tagtower.library.shelves import Failure, LeasedVideo, Shelf, complete, fail, release
from tagtower.library.suggestions import ModelAnswer, write_model_answers
from tagtower.library.vectors import VectorStore
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.labelling import Answer, Seen
from tagtower.usecases.installation.leases import by_token

TOLD = 20
"""Tags that an event of a labelled video names, at most."""


@dataclass(frozen=True, slots=True)
class Found:
    """A video with what the model sees in it, to be put on the labelled shelf."""

    leased: LeasedVideo
    seen: Seen


@dataclass(frozen=True, slots=True)
class Gone:
    """A video that could not be looked at, and why."""

    leased: LeasedVideo
    failure: Failure


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a batch: videos on the labelled shelf, and the shelf on which each failed one stands now.

    Those in neither had been taken over, finished or erased by others. `stale` where nothing was written, since the
    active model is another.
    """

    labelled: frozenset[int] = frozenset()
    failed: Mapping[int, Shelf] | None = None
    stale: bool = False


class LibraryChangedError(Exception):
    """The tag library has changed since the answers were made; nothing was written."""


def write_results(
    connection: Connection,
    installation: Installation,
    vectors: VectorStore,
    model: ModelRecord,
    found: Sequence[Found],
    answers: Sequence[Answer],
    gone: Sequence[Gone],
    *,
    worker: str,
) -> Written:
    """Write a batch inside a transaction: every video that is still leased, with its answer, and every failure.

    Raises:
        LibraryChangedError: an answer is of an earlier tag library than that of this moment.
        StorageError: a vector cannot be written.
    """
    version = hold_library(connection)
    now, rules = installation.clock(), installation.settings.worker
    active = active_model(connection, lock=True)
    if active is None or active.id != model.id:
        leased = [*(one.leased for one in found), *(one.leased for one in gone)]
        for token, ids in by_token(leased).items():
            release(connection, token, ids)
        return Written(stale=True)
    if any(answer.library_version != version for answer in answers):
        raise LibraryChangedError
    kept: set[int] = set()
    for token, ids in by_token([one.leased for one in found]).items():
        kept |= complete(connection, ids, token, now=now)
    seen = {one.leased.id: one.seen for one in found if one.leased.id in kept}
    write_answers(connection, vectors, model, seen, answers, at=now)
    shelves: dict[int, Shelf] = {}
    for one in gone:
        shelf = fail(connection, one.leased.id, one.leased.token, one.failure, now=now, rules=rules)
        if shelf is not None:
            shelves[one.leased.id] = shelf
    record_many(
        connection,
        "video.labelled",
        [
            (
                {"video": one.video_id, "model": model.name, "tags": [tag.tag for tag in one.tags[:TOLD]]},
                one.video_id,
            )
            for one in answers
            if one.video_id in seen
        ],
        now,
    )
    lost = [one for one in gone if shelves.get(one.leased.id) == "failed"]
    record_many(
        connection,
        "video.failed",
        [({"video": one.leased.id, "error": one.failure.to_json()}, one.leased.id) for one in lost],
        now,
    )
    given_up = sum(shelf == "failed" for shelf in shelves.values())
    workers.report(connection, worker, now=now, done=len(kept), failed=given_up)
    return Written(frozenset(kept), shelves)


def write_answers(
    connection: Connection,
    vectors: VectorStore,
    model: ModelRecord,
    seen: Mapping[int, Seen],
    answers: Sequence[Answer],
    *,
    at: datetime,
) -> None:
    """Write what a model sees in videos and says of them, in place of what it saw and said before.

    Answers for other videos than those in `seen` are passed over.

    Raises:
        StorageError: a vector cannot be written.
    """
    if seen:
        rows = np.stack([one.embedded.vector for one in seen.values()])
        vectors.add(connection, model.id, list(seen), rows, fingerprint=model.vector_fingerprint)
        _write_frames(connection, model, seen)
    given = [
        ModelAnswer(
            one.video_id,
            one.suggested,
            one.library_version,
            {name: round(weight, 6) for name, weight in seen[one.video_id].embedded.weights.items()},
            seen[one.video_id].embedded.warnings,
        )
        for one in answers
        if one.video_id in seen
    ]
    write_model_answers(connection, model.id, given, at=at)


def _write_frames(connection: Connection, model: ModelRecord, seen: Mapping[int, Seen]) -> None:
    connection.execute(
        delete(frame_vectors).where(
            frame_vectors.c.model_id == model.id, frame_vectors.c.video_id.in_(list(seen))
        )
    )
    rows = [
        {
            "model_id": model.id,
            "video_id": video_id,
            "seconds": one.frames.seconds.astype("<f4").tobytes(),
            "vectors": one.frames.vectors.astype("<f2").tobytes(),
        }
        for video_id, one in seen.items()
        if one.frames is not None
    ]
    if rows:
        connection.execute(insert(frame_vectors), rows)
