"""Building a model beside the active one: its vectors and suggestions for every labelled video, shared by workers.

Whatever ends a worker, nothing is lost: what was built stays, and a lease runs out. The model is ready once no labelled
video is missing; those that come later are built as they come, so that it stays so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import final

import torch

from tagtower.errors import NotFoundError, TagTowerError
from tagtower.library.builds import (
    fail_build,
    finish_builds,
    is_complete,
    release_builds,
    renew_builds,
    take_builds,
)
from tagtower.library.curation.committing import hold_library
from tagtower.library.models import ModelRecord, coverage_of, find_model, list_models, set_state
from tagtower.library.shelves import Failure, LeasedVideo
from tagtower.library.snapshot import TagSource
from tagtower.library.vectors import vector_store
from tagtower.library.workers import new_name
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.labelling import Labeller, NotSeen, Seen, open_labeller
from tagtower.usecases.installation.media import failure_of
from tagtower.usecases.installation.models import ModelStatus
from tagtower.usecases.installation.results import write_answers
from tagtower.usecases.installation.retro import run_sweeps
from tagtower.usecases.progress import Progress, Silent
from tagtower.usecases.session import Device

LOOK_SECONDS, WAIT_SECONDS = 5.0, 30.0
"""How often a worker looks for a model to build, and for videos of one whose rest has failed or is in others' work."""

KEEP_SECONDS = 60.0
"""A second model stays open so long without work, since a new video may come."""

ANSWER_TRIES = 5
"""So often a batch is answered anew because the library has changed; then changes have to wait for it."""


@dataclass(slots=True)
class BuildReport:
    """What was built, what failed for good, what is tried again later, by the number of the video; and messages."""

    built: int = 0
    failed: int = 0
    postponed: int = 0
    messages: dict[int, str] = field(default_factory=dict)


@final
class ModelBuilder:
    """Builds one model, a batch at a time, with that model at work.

    `vectors` and `labeller` belong to the model; the active model may be built as well where it lacks videos.
    """

    def __init__(
        self,
        installation: Installation,
        model: ModelRecord,
        worker: str,
        open_model: Callable[[], Labeller],
    ) -> None:
        self.report = BuildReport()
        self._installation = installation
        self._model = model
        self._worker = worker
        self._open = open_model
        self._after = 0

    def step(self) -> bool:
        """Build the next few videos, and return whether there were any.

        The model is opened only where there are some.

        Raises:
            StorageError: a store or the disk is out of order; the videos are given back.
            NotFoundError: the model was removed.
        """
        leased = self._take()
        if not leased:
            return False
        token = leased[0].token
        try:
            labeller = self._open()
            ready, gone = self._look(labeller, leased)
            self._finish(labeller, token, ready)
            for one, failure in gone:
                self._fail(one.id, token, failure)
        finally:  # what is neither built nor failed is free again
            with self._installation.database.write() as connection:
                release_builds(connection, token)
        return True

    def _take(self) -> list[LeasedVideo]:
        rules = self._installation.settings.worker
        for after in dict.fromkeys((self._after, 0)):
            with self._installation.database.write() as connection:
                find_model(connection, self._model.id)
                leased = take_builds(
                    connection,
                    self._model.id,
                    self._worker,
                    rules.batch,
                    after=after,
                    now=self._installation.clock(),
                    rules=rules,
                )
            if leased:
                self._after = leased[-1].id
                return leased
        return []

    def _look(
        self, labeller: Labeller, leased: Sequence[LeasedVideo]
    ) -> tuple[list[Seen], list[tuple[LeasedVideo, Failure]]]:
        """What the model sees in videos, and why it cannot look at others; after a bug the rest is left for later."""
        by_id = {one.id: one for one in leased}
        ready: list[Seen] = []
        gone: list[tuple[LeasedVideo, Failure]] = []
        rules = self._installation.settings.worker
        renewed = time.monotonic()
        try:
            for one in labeller.see(leased, ahead=rules.batch):
                own = by_id.pop(one.id)
                if isinstance(one, NotSeen):
                    gone.append((own, failure_of(one.error, own.stored)))
                else:
                    ready.append(one)
                if time.monotonic() - renewed > rules.lease_seconds / 3:
                    renewed = time.monotonic()
                    with self._installation.database.write() as connection:
                        renew_builds(connection, [own.token], now=self._installation.clock(), rules=rules)
        except TagTowerError:
            raise
        except Exception as fault:
            gone.append((next(iter(by_id.values())), _bug(fault)))
        return ready, gone

    def _finish(self, labeller: Labeller, token: str, seen: Sequence[Seen]) -> None:
        """Answer and write; where a video upsets the ranking, the others are written without it."""
        if not seen:
            return
        try:
            self.report.built += self._write(labeller, token, seen)
        except TagTowerError:
            raise
        except Exception as fault:
            if len(seen) > 1:
                for one in seen:
                    self._finish(labeller, token, [one])
                return
            self._fail(seen[0].id, token, _bug(fault))

    def _write(self, labeller: Labeller, token: str, seen: Sequence[Seen]) -> int:
        """Write vectors and answers, made with the library of this very moment; return how many videos that were."""
        answers = labeller.answer(seen)
        for left in range(ANSWER_TRIES, -1, -1):
            with self._installation.database.write() as connection:
                version = hold_library(connection)
                if not left:  # editors are busy: from here on they have to wait
                    answers = labeller.answer(seen)
                if all(one.library_version == version for one in answers):
                    model = find_model(connection, self._model.id)
                    ids = [one.id for one in seen]
                    held = finish_builds(connection, model.id, ids, token)
                    kept = {one.id: one for one in seen if one.id in held}
                    at = self._installation.clock()
                    write_answers(connection, labeller.vectors, model, kept, answers, at=at)
                    return len(kept)
            answers = labeller.answer(seen)
        raise AssertionError("the last answer was made while the library was held")

    def _fail(self, video_id: int, token: str, failure: Failure) -> None:
        with self._installation.database.write() as connection:
            again = fail_build(
                connection,
                self._model.id,
                video_id,
                token,
                failure,
                now=self._installation.clock(),
                rules=self._installation.settings.worker,
            )
        if again is not None:
            self.report.postponed += again
            self.report.failed += not again
            self.report.messages[video_id] = failure.message


@final
class Builds:
    """The chore of workers: builds the models that are not complete, the active one first."""

    name = "builds"

    def __init__(self) -> None:
        self._builders: dict[int, ModelBuilder] = {}
        self._active: Labeller | None = None
        self._open: Labeller | None = None
        self._stack = ExitStack()
        self._due = self._used = -float("inf")

    def run_once(self, installation: Installation, labeller: Labeller | None) -> bool:
        """Build a few videos of a model, and return whether there were any."""
        now = time.monotonic()
        if now < self._due:
            return False
        self._active = labeller
        models = _incomplete(installation)
        for model in models:
            if self._build(installation, model):
                self._used = time.monotonic()
                return True
        if labeller is not None:
            labeller.vectors.prepare(labeller.model.id)
        if now - self._used > KEEP_SECONDS:
            self.close()
        self._due = time.monotonic() + (WAIT_SECONDS if models else LOOK_SECONDS)
        return False

    def close(self) -> None:
        """Close the model that was built last."""
        self._builders.clear()
        self._open = None
        self._stack.close()

    def _build(self, installation: Installation, model: ModelRecord) -> bool:
        if model.id not in self._builders:
            self._builders[model.id] = ModelBuilder(
                installation, model, new_name(), lambda: self._labeller(installation, model)
            )
        try:
            if self._builders[model.id].step():
                return True
        except NotFoundError:  # removed meanwhile
            self.close()
            return False
        mine = self._open is not None and self._open.model.id == model.id
        finish(installation, model, self._open if mine else None)
        return False

    def _labeller(self, installation: Installation, model: ModelRecord) -> Labeller:
        """The model at work: as the worker has it open, or as a second one, of which there is but one at a time."""
        if self._active is not None and self._active.model.id == model.id:
            return self._active
        if self._open is None or self._open.model.id != model.id:
            self._stack.close()
            # As many threads as are in use: the second model must not change what the first was given.
            self._open = self._stack.enter_context(
                open_labeller(
                    installation,
                    model,
                    tags=TagSource(installation.database),
                    vectors=vector_store(installation.database, installation.vectors),
                    threads=torch.get_num_threads(),
                )
            )
        return self._open


def build(
    installation: Installation,
    name: str,
    *,
    device: Device = "auto",
    threads: int | None = None,
    progress: Progress | None = None,
) -> tuple[ModelStatus, BuildReport]:
    """Build a model here, beside whatever workers do, until nothing is left to do now; return how far it has come.

    Raises:
        NotFoundError: there is no such model, or it was removed.
        ModelError: its folder is damaged.
        StorageError: a store or the disk is out of order.
    """
    progress = progress or Silent()
    attempts = installation.settings.worker.attempts
    with ExitStack() as stack:
        with installation.database.read() as connection:
            model = find_model(connection, name)
            before = coverage_of(connection, model.id, attempts)
        opened: list[Labeller] = []

        def open_model() -> Labeller:
            if not opened:
                opened.append(
                    stack.enter_context(
                        open_labeller(
                            installation,
                            model,
                            tags=TagSource(installation.database),
                            vectors=vector_store(installation.database, installation.vectors),
                            device=device,
                            threads=threads,
                        )
                    )
                )
            return opened[0]

        progress.phase(f"building {name}", before.missing)
        builder = ModelBuilder(installation, model, new_name(), open_model)
        done = 0
        while builder.step():
            count = builder.report.built + builder.report.failed
            progress.advance(count - done)
            done = count
        finish(installation, model, opened[0] if opened else None)
    with installation.database.read() as connection:
        status = ModelStatus(find_model(connection, model.id), coverage_of(connection, model.id, attempts))
    return status, builder.report


def finish(installation: Installation, model: ModelRecord, labeller: Labeller | None) -> None:
    """Make a model that has every labelled video ready to be promoted; one that lacks any is left as it is.

    Args:
        labeller: the model at work, where it is open: it then knows the tags of today on the videos built first, too.
    """
    vectors = vector_store(installation.database, installation.vectors)
    with installation.database.read() as connection:
        coverage = coverage_of(connection, model.id, installation.settings.worker.attempts)
    if coverage.missing:
        return
    if labeller is not None:
        while run_sweeps(installation, labeller.session, vectors=vectors):
            pass
    if vectors.prepare(model.id):
        with installation.database.write() as connection:
            set_state(connection, model.id, "ready", only="building")


def _incomplete(installation: Installation) -> list[ModelRecord]:
    """The models that lack labelled videos, or are not known to lack none: the active one first."""
    with installation.database.read() as connection:
        models = [one for one in list_models(connection) if one.state != "retired"]
        return [
            one
            for one in sorted(models, key=lambda one: (one.state != "active", one.id))
            if one.state == "building" or not is_complete(connection, one.id)
        ]


def _bug(fault: Exception) -> Failure:
    return Failure(
        "bug",
        f"The program failed: {type(fault).__name__}: {fault}",
        "Please report it, with what the video is.",
    )
