"""A row of a table that someone else wrote: its fields by name and type, and what becomes of a bad one.

Knows nothing of what the rows mean; a field of the wrong type is named with its file and line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

from tagtower.errors import InputError
from tagtower.records import Problems

LIST_SEPARATOR = ";"
Value = TypeVar("Value")


class FieldError(Exception):
    """One field of a row cannot be used; it never leaves the reader of that row."""

    def __init__(self, field: str, what: str) -> None:
        super().__init__(f"{field}: {what}")
        self.field = field
        self.what = what


@dataclass(frozen=True, slots=True)
class Row:
    """A row with its 1-based line; `joined_lists` says that a list is one text, as in CSV."""

    line: int
    fields: Mapping[str, Any]
    joined_lists: bool = False

    def text(self, name: str) -> str | None:
        """Return a text without the blanks around it; None where it is absent, null or blank.

        Raises:
            FieldError: it is no text.
        """
        return _text(name, self.fields.get(name)) or None

    def identifier(self, name: str) -> str | None:
        """Return a text or a whole number as text; None where it is absent.

        Raises:
            FieldError: it is neither.
        """
        value = self.fields.get(name)
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else self.text(name)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts, blank ones left out; empty where it is absent.

        Raises:
            FieldError: it is no list, or an entry is no text.
        """
        value = self.fields.get(name)
        if value is None:
            return ()
        if self.joined_lists and isinstance(value, str):
            value = value.split(LIST_SEPARATOR)
        if not isinstance(value, list):
            raise FieldError(name, f"{_kind(value)}, where a list of texts is wanted")
        found = []
        for place, entry in enumerate(value):
            if entry is None:
                raise FieldError(f"{name}[{place}]", "null, where a text is wanted")
            found.append(_text(f"{name}[{place}]", entry))
        return tuple(filter(None, found))

    def time(self, name: str) -> datetime | None:
        """Return an ISO 8601 date or time, in UTC where it names no zone; None where it is absent.

        Raises:
            FieldError: it is none.
        """
        value = self.fields.get(name)
        if isinstance(value, datetime):
            found = value
        elif isinstance(value, date):
            found = datetime(value.year, value.month, value.day)
        else:
            written = self.text(name)
            if written is None:
                return None
            try:
                found = datetime.fromisoformat(written)
            except ValueError:
                raise FieldError(
                    name, f"{shorten(written)} is no ISO 8601 time, such as 2025-01-31T12:00:00Z"
                ) from None
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found

    def choice(self, name: str, choices: Mapping[str, Value]) -> Value | None:
        """Return what a text stands for in `choices`; None where it is absent.

        Raises:
            FieldError: it is none of them.
        """
        written = self.text(name)
        if written is None:
            return None
        if written not in choices:
            raise FieldError(name, f"{shorten(written)} is none of {', '.join(choices)}")
        return choices[written]


@dataclass(slots=True)
class BadRows:
    """What becomes of the bad rows of one file: counted in `problems`, or, if `strict`, raised as `error`."""

    path: Path
    problems: Problems
    error: Callable[..., InputError]
    strict: bool = False
    count: int = 0
    first: str = ""

    def place(self, line: int) -> str:
        """Return where a line is, as an editor opens it; the file alone where the line is 0."""
        return f"{self.path}:{line}" if line else str(self.path)

    def add(self, line: int, what: str) -> None:
        """Count a bad row.

        Raises:
            InputError: the first one, if `strict`; its kind is `error`.
        """
        where = self.place(line)
        if self.strict:
            raise self.error(
                f"{where}: {what}",
                hint="Mend the row, or read on without --strict, which only counts bad rows.",
            )
        self.count += 1
        self.first = self.first or f"{where}: {what}"
        self.problems.add(where, what)

    def failure(self, what: str, *, hint: str | None = None) -> InputError:
        """Return the error that says that the file as a whole cannot be used."""
        return self.error(f"{self.path}: {what}", hint=hint)

    def nothing_left(self, wanted: str) -> InputError:
        """Return the error that says that no row could be used; it names the first bad one."""
        if not self.count:
            return self.failure(f"holds no {wanted}.")
        return self.failure(
            f"no usable {wanted}; rows that cannot be used: {self.count}.", hint=f"The first: {self.first}"
        )


def text_fault(text: str) -> str | None:
    """Return why a text cannot be kept, or None: NUL bytes end file names, and half characters cannot be written."""
    if "\0" in text:
        return "holds a NUL character"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as fault:
            return f"holds half a character (a lone surrogate) at place {fault.start + 1}"
    return None


def shorten(text: str, most: int = 60) -> str:
    """Return a text quoted for a message, its middle left out where it is long."""
    return repr(text if len(text) <= most else f"{text[: most - 3]}...")


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise FieldError(name, f"{_kind(value)}, where a text is wanted")
    fault = text_fault(value)
    if fault is not None:
        raise FieldError(name, fault)
    return value.strip()


def _kind(value: object) -> str:
    """The type of a value in words a person reads."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text {shorten(value)}"
    words: dict[type, str] = {list: "a list", dict: "an object", bytes: "bytes"}
    return words.get(type(value), type(value).__name__)
