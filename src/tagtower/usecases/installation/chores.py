"""Work that workers do between batches of videos, beside labelling: what it has to look like, and what there is."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import Protocol, final, runtime_checkable

from tagtower.errors import StorageError
from tagtower.library.feeds import FeedRecord
from tagtower.library.topics.tagging import Similar
from tagtower.library.vectors import vector_store
from tagtower.usecases.installation.building import Builds
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.labelling import Labeller
from tagtower.usecases.installation.retro import run_sweeps
from tagtower.usecases.installation.topics import (
    FeedRead,
    give_back,
    lease_due,
    read_leased,
    retire_cooled,
    take_in,
)
from tagtower.usecases.installation.webhooks import Deliveries

UPKEEP_SECONDS = 600.0

LOOK_SECONDS = 5.0
"""How often a worker asks whether a feed is due."""

READING_SECONDS = 0.2
"""How long a worker waits at a time for a feed that is being read."""


@runtime_checkable
class Chore(Protocol):
    """Work that workers share, done a little at a time. Several workers may ask for it at once."""

    @property
    def name(self) -> str:
        """What it is called in events."""
        ...

    def run_once(self, installation: Installation, labeller: Labeller | None) -> bool:
        """Do some of the work, for a few seconds at most, and return whether there was any.

        Args:
            labeller: the active model at work, None where there is no active model.
        Raises:
            TagTowerError: it failed; it is asked again later.
        """
        ...

    def close(self) -> None:
        """Let go of what it has open; it may be asked again."""
        ...


@final
class Sweeps:
    """Looks for the stored videos that new tags fit."""

    name = "sweeps"

    def run_once(self, installation: Installation, labeller: Labeller | None) -> bool:
        """Do the sweeps of some tags."""
        return labeller is not None and bool(
            run_sweeps(installation, labeller.session, vectors=labeller.vectors)
        )

    def close(self) -> None:
        """Do nothing: it has nothing open."""


@final
class Upkeep:
    """Looks after the files of vectors: what a killed program left to be overwritten, and room to be freed."""

    name = "upkeep"

    def __init__(self) -> None:
        self._due = time.monotonic() + UPKEEP_SECONDS * random.random()

    def run_once(self, installation: Installation, labeller: Labeller | None) -> bool:
        """Look once in a while."""
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + UPKEEP_SECONDS
            vector_store(installation.database, installation.vectors).tidy()
        return False

    def close(self) -> None:
        """Do nothing: it has nothing open."""


@final
class HotTopics:
    """Polls the feeds that are due, and retires topics that have cooled.

    Waiting for a server and reading what it gives happens beside the worker's own work, which a dead server delays by
    a moment only.
    """

    name = "topics"

    def __init__(self) -> None:
        self._look_at = 0.0
        self._reading: tuple[Installation, FeedRecord, Future[FeedRead]] | None = None

    def run_once(self, installation: Installation, labeller: Labeller | None) -> bool:
        """Begin to poll a feed, or take in what the one that was begun gave."""
        if self._reading is not None:
            _, _, read = self._reading
            wait((read,), READING_SECONDS)
            if read.done():
                self._reading = None
                near = None if labeller is None else same_meaning(installation, labeller)
                take_in(installation, read.result(), near)
            return True
        if time.monotonic() < self._look_at:
            return False
        cooled = retire_cooled(installation)
        feed = lease_due(installation)
        if feed is None:
            self._look_at = time.monotonic() + LOOK_SECONDS
            return bool(cooled)
        self._reading = installation, feed, _beside(read_leased, installation, feed)
        return True

    def close(self) -> None:
        """Give back the feed that is being read."""
        if self._reading is not None:
            installation, feed, _ = self._reading
            self._reading = None
            with contextlib.suppress(StorageError):  # the lease runs out by itself
                give_back(installation, feed)


def same_meaning(installation: Installation, labeller: Labeller) -> Similar:
    """Return what tells which tag a phrase means, by the vectors of the active model."""
    nearest = installation.settings.topics.near_tag

    def similar(phrases: Sequence[str]) -> list[int | None]:
        snapshot = labeller.prepare()
        if not len(snapshot.library):
            return [None] * len(phrases)
        known = labeller.session.tags
        distances = known.index(snapshot.library).distances(known.encode(phrases))
        places = distances.argmin(axis=1).tolist()
        return [
            snapshot.ids[place] if row[place] <= nearest else None
            for row, place in zip(distances, places, strict=True)
        ]

    return similar


def _beside(
    read: Callable[[Installation, FeedRecord], FeedRead], installation: Installation, feed: FeedRecord
) -> Future[FeedRead]:
    """Read a feed in a thread that keeps no program from ending."""
    future: Future[FeedRead] = Future()

    def work() -> None:
        try:
            future.set_result(read(installation, feed))
        except BaseException as fault:
            future.set_exception(fault)

    threading.Thread(target=work, daemon=True, name=f"feed-{feed.id}").start()
    return future


def standard_chores() -> list[Chore]:
    """Return the chores of a worker that was not told otherwise."""
    return [Sweeps(), Builds(), HotTopics(), Upkeep(), Deliveries()]
