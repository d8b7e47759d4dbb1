"""A progress bar on stderr where that is a terminal, and plain lines where it is not."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars

from tagtower.faces.cli.output import say


class TerminalProgress:
    """Shows the phases of a use case; a context manager, so that the terminal is left clean."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._bars: Bars | None = None
        self._task: TaskID | None = None
        self._quiet = quiet
        if sys.stderr.isatty() and not quiet:
            self._bars = Bars(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(bar_width=30),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}", style="dim"),
                console=Console(stderr=True),
                # Else rich would send results that go into a file or a pipe to the terminal.
                redirect_stdout=sys.stdout.isatty(),
            )

    def __enter__(self) -> TerminalProgress:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._end_phase()
            self._bars.stop()

    def phase(self, name: str, total: int | None) -> None:
        """Begin a bar of its own for the phase; the last one stays as it is, or goes where it had no end."""
        if self._bars is not None:
            self._end_phase()
            self._task = self._bars.add_task(name, total=total, note="")

    def _end_phase(self) -> None:
        if self._bars is not None and self._task is not None:
            self._bars.stop_task(self._task)
            endless = any(task.id == self._task and task.total is None for task in self._bars.tasks)
            self._bars.update(self._task, visible=not endless)

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Move the current bar on."""
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, advance=steps)
            if note:
                self._bars.update(self._task, note=note)

    def tell(self, text: str) -> None:
        """Print a line above the bars."""
        if self._quiet:
            return
        if self._bars is not None:
            self._bars.console.print(text, highlight=False, markup=False)
        else:
            say(text)
