"""The leases that a running worker has, and the threads that keep them alive and hear when it is to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from types import TracebackType
from typing import final

from tagtower.errors import StorageError
from tagtower.library import workers
from tagtower.library.shelves import LeasedVideo, renew
from tagtower.usecases.installation.home import Installation

LOOK_SECONDS = 0.2
"""How often a waiting worker looks whether it is to stop."""

BEATS = 3.0
"""Renewals in the time that a lease lasts."""

LONGEST_BEAT_SECONDS = 5.0
"""A worker is heard of at least this often."""


@final
class Stop:
    """Asks a worker to end. A plain flag, so that the handler of a signal may set it wherever it interrupts."""

    def __init__(self) -> None:
        self.asked = False

    def ask(self) -> None:
        """Let the worker write what it has, give back the rest, and end."""
        self.asked = True

    def wait(self, seconds: float) -> None:
        """Wait, but no longer than until the worker is asked to end."""
        end = time.monotonic() + seconds
        while not self.asked and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, LOOK_SECONDS))


QUICK_SECONDS, QUICK_TIMES = 2.0, 4
"""A worker that is through with what it leased in less than this leases twice as many, up to so many times what the
settings say: where videos are small, asking for them would take a share of the time."""


@final
class LeasePace:
    """How many videos a worker leases at a time: more where the last ones were soon done with, few where they were not.

    What is only read ahead is not done with, and where there were fewer than were asked for, more help nothing.
    """

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self._count = batch
        self._leased_at = -float("inf")
        self._done = 0
        self.full = False
        """Whether the last time there were as many as were asked for."""

    def next(self) -> int:
        """Return how many to ask for."""
        if time.monotonic() - self._leased_at >= QUICK_SECONDS:
            return self._batch
        grows = self.full and self._done > 0
        return min(2 * self._count, QUICK_TIMES * self._batch) if grows else self._count

    def leased(self, asked: int, got: int) -> None:
        """Note that some were leased."""
        self._count, self._leased_at, self._done = asked, time.monotonic(), 0
        self.full = got == asked

    def done(self) -> None:
        """Note that one was looked at."""
        self._done += 1


@final
class HeldLeases:
    """The videos that a worker has leased and not finished, in the order in which they were leased."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._videos: dict[int, LeasedVideo] = {}

    def add(self, leased: Sequence[LeasedVideo]) -> None:
        """Enter videos."""
        with self._lock:
            self._videos.update((one.id, one) for one in leased)

    def drop(self, video_ids: Collection[int]) -> None:
        """Take videos out."""
        with self._lock:
            for one in video_ids:
                self._videos.pop(one, None)

    def get(self, video_id: int) -> LeasedVideo:
        """Return a video that is held."""
        with self._lock:
            return self._videos[video_id]

    def all(self) -> list[LeasedVideo]:
        """Every video that is held."""
        with self._lock:
            return list(self._videos.values())


def by_token(leased: Collection[LeasedVideo]) -> dict[str, list[int]]:
    """Return the videos under each token."""
    found: dict[str, list[int]] = {}
    for one in leased:
        found.setdefault(one.token, []).append(one.id)
    return found


@final
class LeaseKeeper:
    """A context in which the leases of a worker are renewed, and in which it is told at once that it is to stop.

    Args:
        on_stop: called once, from another thread, when the worker was asked to stop.
    """

    def __init__(
        self, installation: Installation, name: str, held: HeldLeases, stop: Stop, on_stop: Callable[[], None]
    ) -> None:
        self._installation = installation
        self._name = name
        self._held = held
        self._stop = stop
        self._on_stop = on_stop
        self._ended = threading.Event()
        # Two, since a locked database holds the first up for a minute.
        self._threads = [
            threading.Thread(target=work, name=f"worker {what}", daemon=True)
            for what, work in (("leases", self._renew), ("stop", self._watch))
        ]

    def __enter__(self) -> LeaseKeeper:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(timeout=LONGEST_BEAT_SECONDS)

    def _renew(self) -> None:
        rules = self._installation.settings.worker
        beat = min(rules.lease_seconds / BEATS, LONGEST_BEAT_SECONDS)
        while not self._ended.wait(beat):
            tokens = set(by_token(self._held.all()))
            # What fails here fails for the worker as well, which tells of it; the next beat comes soon.
            try:
                with self._installation.database.write() as connection:
                    now = self._installation.clock()
                    if tokens:
                        renew(connection, tokens, now=now, rules=rules)
                    workers.report(connection, self._name, now=now)
            except StorageError:
                continue

    def _watch(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            if self._stop.asked:
                self._on_stop()
                return
