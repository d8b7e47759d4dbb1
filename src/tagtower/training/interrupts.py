"""Ctrl-C and termination, held back until training stands at a point from which it can go on."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, final

HELD = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """Someone asked training to stop; raised by `HeldSignals.check` alone, and no failure, so no `Exception`."""


@final
class HeldSignals:
    """A context that keeps the first signal for later; a second one goes through at once.

    Outside the main thread, where Python delivers no signals, it does nothing.
    """

    def __init__(self) -> None:
        self._held: signal.Signals | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> HeldSignals:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._hold) for number in HELD}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def check(self) -> None:
        """Raise `Interrupted` if a signal is waiting; called where nothing is half done."""
        if self._held is not None:
            raise Interrupted

    def deliver(self) -> None:
        """Send the held signal to whoever handled it before; by default Ctrl-C raises `KeyboardInterrupt`.

        Raises:
            KeyboardInterrupt: the signal's own handler let the program go on.
        """
        self._restore()
        if self._held is not None:
            signal.raise_signal(self._held)
        raise KeyboardInterrupt

    def _hold(self, number: int, frame: FrameType | None) -> None:
        if self._held is not None:
            self._restore()
            signal.raise_signal(number)
        self._held = signal.Signals(number)

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
