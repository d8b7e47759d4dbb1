"""The first signal waits for a safe point, the second does not, and handlers are put back."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tagtower.training.interrupts import HeldSignals, Interrupted


@pytest.fixture(autouse=True)
def python_hears_ctrl_c() -> Iterator[None]:
    """A process that was started in the background ignores SIGINT unless told otherwise."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_signal_waits_until_it_is_asked_for():
    with HeldSignals() as signals:
        signals.check()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(Interrupted):
            signals.check()
        with pytest.raises(KeyboardInterrupt):
            signals.deliver()


def test_a_second_signal_goes_through_at_once():
    with HeldSignals():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_termination_reaches_the_handler_that_was_there():
    class Terminated(Exception):  # noqa: N818
        pass

    def handle(*_: object) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, handle)
    try:
        with HeldSignals() as signals:
            signal.raise_signal(signal.SIGTERM)
            with pytest.raises(Terminated):
                signals.deliver()
    finally:
        assert signal.signal(signal.SIGTERM, before) is handle


def test_a_handler_that_goes_on_ends_training_all_the_same():
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with HeldSignals() as signals:
            signal.raise_signal(signal.SIGTERM)
            with pytest.raises(KeyboardInterrupt):
                signals.deliver()
    finally:
        signal.signal(signal.SIGTERM, before)
