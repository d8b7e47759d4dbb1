"""What the commands of a terminal share: which server, and with which key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tagtower.errors import UsageError

if TYPE_CHECKING:
    from tagtower.client import Client

MOST_KEY_BYTES = 4096

Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="URL",
        help="The server; default $TAGTOWER_SERVER, or else http://127.0.0.1:8765.",
    ),
]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key-file", metavar="FILE", help="A file that holds the API key; default $TAGTOWER_KEY."),
]


@contextmanager
def connected(server: str | None, key_file: Path | None) -> Iterator[Client]:
    """Give a client of the server that is named.

    Raises:
        UsageError: the address is none, or the file holds no key.
        MissingExtraError: httpx is not installed.
    """
    from tagtower.client import Client

    key = None if key_file is None else _key_in(key_file)
    with Client(server, key) as client:
        yield client


def _key_in(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            key = file.read(MOST_KEY_BYTES).strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise UsageError(f"--key-file {path} cannot be read: {reason}.", hint="Check the path.") from None
    if not key or any(one.isspace() for one in key):
        raise UsageError(
            f"--key-file {path} holds no key.", hint="Write into it what `tagtower keys` printed."
        )
    return key
