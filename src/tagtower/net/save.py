"""Fetching a file over HTTP(S) into a file, a little at a time: bounded like `fetch`, and whole or an error."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tagtower.errors import FetchError, StorageError
from tagtower.net.address import Resolve
from tagtower.net.fetch import FetchLimits, check_status, check_url, decoded, visit


@dataclass(frozen=True, slots=True)
class Saved:
    """What was fetched: from where in the end, its size in bytes, and what the server calls it."""

    url: str
    bytes: int
    content_type: str


def save(
    url: str, path: Path, *, judge: Callable[[str], FetchLimits], resolve: Resolve | None = None
) -> Saved:
    """Write what is at `url` to a file; after an error the file is to be thrown away.

    Args:
        judge: says how much may be fetched from a host, or raises a FetchError; it is asked for the first host and for
            every one that is redirected to. The time is that of the first.
        resolve: asks for the addresses of hosts; default the system.
    Raises:
        FetchError: the address is none that may be fetched, or it cannot be: the server is gone, redirects in circles,
            sends too much, too little or too slowly.
        StorageError: the file cannot be written.
    """
    headers = {
        "User-Agent": f"TagTower/{version('tagtower')}",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }

    def take(shown: str, response: http.client.HTTPResponse, limits: FetchLimits) -> Saved:
        check_status(shown, response)
        return _pour(shown, response, limits.max_bytes, path)

    host = check_url(url, FetchLimits(allow_private=True)).hostname or ""
    return visit(url, headers, judge(host).seconds, take, judge=judge, resolve=resolve)


def _pour(url: str, response: http.client.HTTPResponse, most: int, path: Path) -> Saved:
    announced = response.length or 0
    if announced > most:
        raise _too_large(url, most)
    size = 0
    try:
        file = path.open("wb")
    except OSError as fault:
        raise _unwritable(fault) from fault
    with file:
        for some in decoded(url, response):
            size += len(some)
            if size > most:
                raise _too_large(url, most)
            try:
                file.write(some)
            except OSError as fault:
                raise _unwritable(fault) from fault
    if response.length:
        raise FetchError(
            f"{url} ended {response.length:,} bytes too early.", hint="Try again, or look at the server."
        )
    return Saved(url, size, response.headers.get("Content-Type", ""))


def _too_large(url: str, most: int) -> FetchError:
    return FetchError(
        f"{url} has more than the {most:,} bytes that may be fetched.",
        hint="Send the file itself, or allow more: fetching.max_bytes",
    )


def _unwritable(fault: OSError) -> StorageError:
    return StorageError(
        f"What is fetched cannot be kept: {fault.strerror or fault}.", hint="Free some space, then try again."
    )
