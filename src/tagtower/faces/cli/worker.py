"""`tagtower worker`: labels the unlabelled shelf of an installation, for as long as it is let."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from tagtower.faces.cli import options
from tagtower.faces.cli.output import print_line, say, write_json

if TYPE_CHECKING:
    from tagtower.usecases.installation.leases import Stop
    from tagtower.usecases.installation.worker_events import Event

SOME_FAILED, NOTHING_DONE = 1, 3
ENDED_BY = {signal.SIGINT: 130, signal.SIGTERM: 143}


def worker(
    home: options.Home,
    once: Annotated[
        bool, typer.Option("--once", help="End when nothing is left to do, rather than wait for more.")
    ] = False,
    threads: Annotated[
        int | None,
        typer.Option("--threads", min=0, help="CPU threads of the model; 0 takes one per core."),
    ] = None,
    device: options.Device = "auto",
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Label the videos of the unlabelled shelf, and look for the stored videos that new tags fit.

    Any number of workers may run at a time, on any machine that reaches the installation. A model that is promoted and
    tags that are changed are in use with the next batch. Ctrl-C and SIGTERM let it write what is finished and give the
    rest back; a second one ends it at once. With --once it ends with 1 if some videos could not be labelled, and with
    3 if none could.
    """
    from tagtower.faces.tracing import start_tracing
    from tagtower.usecases.installation.chores import standard_chores
    from tagtower.usecases.installation.home import open_installation
    from tagtower.usecases.installation.leases import Stop
    from tagtower.usecases.installation.worker import run_worker
    from tagtower.usecases.session import parse_device

    stop = Stop()
    with open_installation(home) as installation, _stopped_by_signals(stop) as received:
        report = run_worker(
            installation,
            once=once,
            stop=stop,
            chores=standard_chores(),
            on_event=lambda event: _tell(event, as_json=as_json, quiet=quiet),
            device=parse_device(device),
            threads=threads,
            within=start_tracing("tagtower-worker").span,
        )
    if as_json:
        write_json({"event": "ended", **report.to_json()})
    elif not quiet:
        put_off = f", {report.postponed} times put off" if report.postponed else ""
        say(f"{report.labelled} videos labelled, {report.failed} failed{put_off}")
    if received:
        return ENDED_BY[received[0]]
    if once and (report.failed or report.postponed):
        return SOME_FAILED if report.labelled else NOTHING_DONE
    return 0


@contextmanager
def _stopped_by_signals(stop: Stop) -> Iterator[list[signal.Signals]]:
    """Let the first Ctrl-C or SIGTERM ask the worker to end; a second one does what it did before."""
    received: list[signal.Signals] = []

    def hold(number: int, frame: FrameType | None) -> None:
        if received:
            restore()
            signal.raise_signal(number)
        received.append(signal.Signals(number))
        stop.ask()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    before = {number: signal.signal(number, hold) for number in ENDED_BY}
    try:
        yield received
    finally:
        restore()


def _tell(event: Event, *, as_json: bool, quiet: bool) -> None:
    facts = event.facts
    if as_json:
        write_json(event.to_json())
    elif event.kind == "labelled":
        if not quiet:
            print_line(f"{facts['video']}: {', '.join(facts['tags']) or 'no tag'}")
    elif event.kind == "failed":
        again = "; it is tried again" if facts["again"] else ""
        say(f"tagtower: video {facts['video']}: {facts['error']['message']}{again}")
    elif event.kind == "trouble":
        say(f"tagtower: {facts['message']}")
        if facts.get("trace"):
            say(facts["trace"])
    elif event.kind == "model" and not quiet:
        say(f"model {facts['name']}, {facts['tags']} tags")
