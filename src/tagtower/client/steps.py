"""What a client does, without doing it: requests, answers, waits and work on files.

A flow is a generator that yields steps and is sent what came of each; what it returns is the result. The same flows
are driven by the client that blocks and by the one that awaits (`transport`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeAlias, TypeVar
from urllib.parse import quote

from tagtower.errors import InputError

T = TypeVar("T")
Meant = TypeVar("Meant", covariant=True)
Progress: TypeAlias = Callable[[int, int], None]
"""Is told how many bytes are through, and of how many; by the awaiting client possibly in another thread."""

BLOCK = 256 * 1024
REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its status, its headers by names in small letters, and its body, empty where that went to a file."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        """Return the body as JSON.

        Raises:
            ValueError: it is none.
        """
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Fault:
    """No answer, and why; `sent` says whether the server may have got the request."""

    reason: str
    sent: bool


@dataclass(frozen=True, slots=True)
class FilePart:
    """`length` bytes of a file from `start` on, read as they are sent. `told` is told how far the file is through."""

    path: Path
    start: int
    length: int
    told: Callable[[int], None] | None = None

    def blocks(self) -> Iterator[bytes]:
        """Yield the bytes.

        Raises:
            InputError: the file cannot be read, or has become shorter.
        """
        at, end = self.start, self.start + self.length
        try:
            with self.path.open("rb") as file:
                file.seek(at)
                while at < end:
                    block = file.read(min(BLOCK, end - at))
                    if not block:
                        raise InputError(
                            f"{self.path} became shorter while it was sent.",
                            hint="Send it again when nobody writes it.",
                        )
                    yield block
                    at += len(block)
                    if self.told is not None:
                        self.told(at)
        except OSError as error:
            raise unreadable(self.path, error) from error


@dataclass(frozen=True, slots=True)
class FileSink:
    """A file that the body of an answer goes to: added at `start` for status 206, from its beginning otherwise."""

    path: Path
    start: int = 0
    told: Callable[[int], None] | None = None

    def open(self, status: int) -> BinaryIO:
        """Open the file where the body belongs.

        Raises:
            OSError: it cannot be written.
        """
        if status != 206:
            return self.path.open("wb")
        file = self.path.open("r+b")
        file.seek(self.start)
        file.truncate()
        return file


@dataclass(frozen=True, slots=True)
class Ask(Generic[Meant]):
    """A request, and what its answer means.

    `path` is a template whose places `parts` fill. Of `query` and `json`'s top, None is left out. `later` are statuses
    that mean another attempt, `answers` failures that are answers all the same. `seconds` is how long the server may
    be silent, None as long as the client usually waits.
    """

    method: str
    path: str
    read: Callable[[Reply], Meant]
    parts: Mapping[str, int | str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    json: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | FilePart | None = None
    sink: FileSink | None = None
    repeatable: bool | None = None
    later: frozenset[int] = frozenset()
    answers: frozenset[int] = frozenset()
    seconds: float | None = None

    @property
    def may_repeat(self) -> bool:
        """Whether doing it twice is the same as doing it once."""
        if self.repeatable is not None:
            return self.repeatable
        return self.method in REPEATABLE or "Idempotency-Key" in self.headers

    @property
    def target(self) -> str:
        """The path with its places filled, safe to be put behind the server's address."""
        return self.path.format(**{name: _place(str(one)) for name, one in self.parts.items()})

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The query as pairs of name and text; a name with several values stands several times."""
        found: list[tuple[str, str]] = []
        for name, value in self.query.items():
            several = value if isinstance(value, list | tuple) else [value]
            found += [(name, _text(one)) for one in several if one is not None]
        return found


@dataclass(frozen=True, slots=True)
class Pause:
    """A wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Work:
    """Something that takes a while on this machine, such as hashing a file."""

    do: Callable[[], Any]


Step: TypeAlias = Ask[Any] | Pause | Work
Flow: TypeAlias = Generator[Step, Any, T]


def unreadable(path: Path, error: OSError) -> InputError:
    """Return the exception for a file of this machine that cannot be read or written."""
    return InputError(
        f"{path}: {error.strerror or error}.", hint="Check that the path is right, and that you may use it."
    )


def given(**fields: Any) -> dict[str, Any]:
    """Return the fields that are not None, ready for JSON."""
    return {name: _plain(value) for name, value in fields.items() if value is not None}


def _place(text: str) -> str:
    """Return a text as one place of a path, and nothing else."""
    found = quote(text, safe="")
    return found.replace(".", "%2E") if found in (".", "..") else found


def _plain(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)
