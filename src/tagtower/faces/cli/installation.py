"""What the commands that work on an installation share: who asks, moments and spans as typed, the open installation."""

from __future__ import annotations

import getpass
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, final

import typer
from typer.core import TyperCommand, TyperGroup

from tagtower.errors import UsageError

if TYPE_CHECKING:
    from tagtower.usecases.installation.home import Installation

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

Author = Annotated[
    str | None,
    typer.Option("--author", metavar="NAME", help="Who makes the change; default the user of this machine."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")]


@final
class HomeGroup(TyperGroup):
    """A group of commands that is given the folder of an installation; its contexts are what typer promises."""

    context_class = typer.Context


@final
class HomeCommand(TyperCommand):
    """A command of such a group."""

    context_class = typer.Context


@contextmanager
def opened(context: typer.Context) -> Iterator[Installation]:
    """Open the installation whose folder the command group was given."""
    from tagtower.usecases.installation.home import open_installation

    home: Path = context.obj
    with open_installation(home) as installation:
        yield installation


def author_of(given: str | None) -> str:
    """Return who makes a change: the one who is named, or the user of this machine."""
    if given is not None:
        return given
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        raise UsageError(
            "The user of this machine has no name.", hint="Say who you are with --author."
        ) from None


def span(text: str) -> timedelta:
    """Return a span of time such as 30m, 12h or 7d.

    Raises:
        UsageError: it is none.
    """
    found = re.fullmatch(r"([0-9]{1,6})\s*([smhdw])", text.strip())
    if not found:
        raise UsageError(
            f"{text!r} is no span of time.", hint="Give a number and s, m, h, d or w, such as 12h."
        )
    return timedelta(**{UNITS[found[2]]: int(found[1])})


def moment(text: str, now: datetime) -> datetime:
    """Return a moment that is given as ISO time (UTC where it names no zone) or as a span from now.

    Raises:
        UsageError: it is neither.
    """
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        try:
            return now + span(text)
        except UsageError:
            raise UsageError(
                f"{text!r} is no moment.",
                hint="Give an ISO time such as 2030-01-31T12:00, or a span such as 7d.",
            ) from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
