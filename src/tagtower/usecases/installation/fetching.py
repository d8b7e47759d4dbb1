"""Videos that are handed in by their http or https address: fetched once, from hosts that the installation names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tagtower.config.installation import FILE, FetchingSettings
from tagtower.errors import FetchError
from tagtower.net.fetch import FetchLimits
from tagtower.net.save import save
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.scratch import scratch_file


def name_in(uri: str) -> str:
    """Return the last part of an address's path, which tells the format; it may be empty."""
    return unquote(urlsplit(uri).path).rpartition("/")[2]


@contextmanager
def fetched_file(installation: Installation, uri: str) -> Iterator[Path]:
    """Fetch a file, and give the path of a copy that is removed with the context.

    Raises:
        FetchError: its host is not one of `fetching.hosts` or `fetching.private_hosts`, it redirects to one that is
            not, it is larger than `fetching.max_bytes` or takes longer than `fetching.deadline_seconds`, or it cannot
            be reached.
        StorageError: the disk is full.
    """
    settings = installation.settings.fetching
    with scratch_file(installation) as path:
        save(uri, path, judge=lambda host: limits_of(settings, host))
        yield path


def limits_of(settings: FetchingSettings, host: str) -> FetchLimits:
    """Return how much may be fetched from a host, and whether it may be one of a private network.

    Raises:
        FetchError: nothing may be.
    """
    private = _named(host, settings.private_hosts)
    if not private and not _named(host, settings.hosts):
        raise FetchError(
            f"Videos are not fetched from {host}.",
            hint=f"Send the file itself, or name the host in HOME/{FILE}: fetching.hosts",
        )
    return FetchLimits(settings.max_bytes, settings.deadline_seconds, allow_private=private)


def _named(host: str, hosts: tuple[str, ...]) -> bool:
    """Whether a host is one of those; `*.example` stands for every host below, `*` for every host."""
    host = host.lower().rstrip(".")
    for one in hosts:
        one = one.lower().rstrip(".")
        if one in ("*", host) or (one.startswith("*.") and host.endswith(one[1:])):
            return True
    return False
