"""Waiting out a database that is gone or locked, and a disk that is full: again and again, less and less often."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, final

from tagtower.errors import StorageError
from tagtower.usecases.installation.leases import Stop
from tagtower.usecases.installation.worker_events import Event, Listener

LONGEST_PAUSE_SECONDS = 30.0
"""Between attempts; the first pause is a second, each twice the last."""

T = TypeVar("T")


class Stopped(Exception):  # noqa: N818
    """The worker was asked to stop while it waited; no failure."""


@final
class Patience:
    """Tries again until it works, and tells of every failure.

    Args:
        tries: failures in a row after which it gives up; None for never.
    """

    def __init__(self, stop: Stop, tell: Listener, tries: int | None) -> None:
        self._stop = stop
        self._tell = tell
        self._tries = tries
        self._failures = 0

    def __call__(self, work: Callable[[], T]) -> T:
        """Return what `work` returns at last.

        Raises:
            Stopped: the worker was asked to stop meanwhile.
            StorageError: it failed too often.
        """
        while True:
            try:
                return work()
            except StorageError as fault:
                self.wait_out(fault)
                if self._stop.asked:
                    raise Stopped from None

    def wait_out(self, fault: StorageError) -> None:
        """Tell of a failure, and wait, or give up."""
        self._failures += 1
        if self._tries is not None and self._failures > self._tries:
            raise fault
        pause = min(2.0 ** min(self._failures - 1, 10), LONGEST_PAUSE_SECONDS)
        self._tell(Event("trouble", {"message": fault.message, "hint": fault.hint, "pause": pause}))
        self._stop.wait(pause)

    def forget(self) -> None:
        """Begin anew: something went well."""
        self._failures = 0
