"""What the command line prints: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from tagtower.records import Problems

SCHEMA = 1
"""The number in every JSON output; it grows when a field changes its meaning or goes away."""

UNBROKEN = 1000
"""Columns of a table that goes into a pipe or a file, so that a row stays a line."""


def say(text: str) -> None:
    """Write a line for a person to stderr."""
    print(_writable(text), file=sys.stderr, flush=True)  # noqa: T201


def write_json(value: dict[str, Any], *, indent: int | None = None) -> None:
    """Write an object to stdout as one JSON document, flushed so that a reader sees it at once."""
    sys.stdout.write(json_line({"schema": SCHEMA, **value}, indent=indent))
    sys.stdout.flush()


def json_line(value: dict[str, Any], *, indent: int | None = None) -> str:
    """Return an object as JSON text that ends in a newline; text stays readable, NaN is refused."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent) + "\n"
    return _writable(text)


def print_table(table: Table) -> None:
    """Print a table on stdout, as wide as the terminal, or unbroken into a pipe."""
    console = Console(
        width=None if sys.stdout.isatty() else UNBROKEN, highlight=False, markup=False, emoji=False
    )
    with console.capture() as printed:
        console.print(table)
    for line in printed.get().splitlines():
        print_line(line.rstrip())


def print_line(text: str) -> None:
    """Write a line of a result for a person to stdout, flushed so that a reader of a pipe sees it at once."""
    sys.stdout.write(_writable(text) + "\n")
    sys.stdout.flush()


def short(fingerprint: str) -> str:
    """Return as much of a model's fingerprint as tells models apart for a person."""
    return fingerprint[:12]


def list_problems(problems: Problems, subject: str, shown: int = 10) -> None:
    """List the first problems with `subject` on stderr, if any, and how many there were."""
    if not problems.count:
        return
    say(f"{problems.count} remark{'s' if problems.count > 1 else ''} on {subject}:")
    for problem in problems.first[:shown]:
        say(f"  {problem.where}: {problem.what}" if problem.where else f"  {problem.what}")
    if problems.count > shown:
        say(f"  ... and {problems.count - min(shown, len(problems.first))} more")


def _writable(text: str) -> str:
    """Escape half characters, as in a file name that is no UTF-8: no encoding could write them."""
    return text.encode("utf-8", "backslashreplace").decode()
