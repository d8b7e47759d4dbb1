"""The feeds of an installation as persons keep them: added, paused, resumed, removed. `topics` polls them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tagtower.errors import FetchError, UsageError
from tagtower.library import feeds
from tagtower.library.feeds import FeedKind, FeedRecord, Policy
from tagtower.net.fetch import FetchLimits, check_url
from tagtower.usecases.installation.home import Installation


def add_feed(
    installation: Installation,
    url: str,
    *,
    kind: FeedKind = "auto",
    policy: Policy = "quarantine",
    allow_private: bool = False,
    every: timedelta = timedelta(minutes=15),
    keep: timedelta = timedelta(days=2),
) -> FeedRecord:
    """Add a feed: an http or https URL, or the path of a file of this machine. Nothing is fetched yet.

    Args:
        kind: `rss` (also Atom), `json`, `csv`, or `auto`: as it looks.
        policy: whether its topics are quarantined, or active at once.
        allow_private: whether its host may be this machine or one of a private network.
        every: how often it is polled.
        keep: how long a topic lives after it was last hot.
    Raises:
        UsageError: it is no URL and no file, or a span is of no use.
        ConflictError: there is one with this URL.
    """
    address = _address(url)
    limits = FetchLimits(allow_private=allow_private, allow_files=True)
    try:
        check_url(address, limits)
    except FetchError as fault:
        raise UsageError(fault.message, hint=fault.hint) from None
    with installation.database.write() as connection:
        return feeds.add_feed(
            connection,
            address,
            installation.clock(),
            kind=kind,
            policy=policy,
            allow_private=allow_private,
            every=every,
            keep=keep,
        )


def list_feeds(installation: Installation) -> list[FeedRecord]:
    """Return every feed."""
    with installation.database.read() as connection:
        return feeds.list_feeds(connection)


def pause_feed(installation: Installation, feed: str) -> FeedRecord:
    """Let a feed be polled no more until it is resumed.

    Raises:
        NotFoundError: there is none.
    """
    with installation.database.write() as connection:
        found = feeds.find_feed(connection, feed)
        feeds.pause_feed(connection, found.id)
        return feeds.load_feed(connection, found.id)


def resume_feed(installation: Installation, feed: str) -> FeedRecord:
    """Let a feed be polled again, at once; its failures are forgotten.

    Raises:
        NotFoundError: there is none.
    """
    with installation.database.write() as connection:
        found = feeds.find_feed(connection, feed)
        feeds.resume_feed(connection, found.id, installation.clock())
        return feeds.load_feed(connection, found.id)


def remove_feed(installation: Installation, feed: str) -> FeedRecord:
    """Forget a feed and its past; the tags that it brought stay, until they expire.

    Raises:
        NotFoundError: there is none.
    """
    with installation.database.write() as connection:
        found = feeds.find_feed(connection, feed)
        feeds.remove_feed(connection, found.id)
    return found


def _address(url: str) -> str:
    """Return what a person gave as a URL: the path of a file becomes one.

    Raises:
        UsageError: it is neither a URL nor a file.
    """
    if "://" in url:
        return url.strip()
    path = Path(url)
    if not path.is_file():
        raise UsageError(
            f"{url!r} is neither an http(s) address nor a file.",
            hint="Give https://..., or the path of a file.",
        )
    return path.resolve().as_uri()
