"""Hot topics: feeds are polled when they are due, and what suddenly is in many headlines becomes a tag for a while.

A feed that is dead, endless or hostile costs one error, which is shown with it, and is asked less and less often.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from tagtower.config.installation import TopicSettings
from tagtower.errors import FeedError, FetchError, MissingExtraError, UsageError
from tagtower.library import feeds
from tagtower.library.curation.committing import commit, lock_library
from tagtower.library.curation.reading import load
from tagtower.library.curation.record import TagRecord
from tagtower.library.feeds import FeedKind, FeedRecord, Policy
from tagtower.library.schema import tags
from tagtower.library.topics.bursts import Burst, bursting
from tagtower.library.topics.counting import (
    Tally,
    count,
    forget,
    new_entries,
    recent_and_past,
    remember,
    tally,
)
from tagtower.library.topics.entries import Entry, FeedContent
from tagtower.library.topics.phrases import phrases_of
from tagtower.library.topics.reading import read_feed
from tagtower.library.topics.stopwords import guess_language, stop_words
from tagtower.library.topics.tagging import (
    Similar,
    heat_now,
    named_tags,
    plan_topics,
    plans_to_retire,
    similar_tags,
    write_heat,
)
from tagtower.net.fetch import Fetched, FetchLimits, check_url, fetch
from tagtower.usecases.installation.home import Installation

AT_ONCE = 4
"""Feeds that one call leases: each may take as long as its deadlines allow."""

LEASE_SLACK = timedelta(seconds=60)

ACCEPT = "application/rss+xml, application/atom+xml, application/feed+json, text/xml, text/csv, */*;q=0.5"


@dataclass(frozen=True, slots=True)
class PollOutcome:
    """What polling one feed brought: new entries, new tags, and tags that gained heat; or its error.

    `lost` says that another worker took over meanwhile, and nothing was kept.
    """

    feed: int
    url: str
    entries: int = 0
    new_tags: tuple[str, ...] = ()
    heated: tuple[str, ...] = ()
    version: int | None = None
    error: str | None = None
    remark: str | None = None
    lost: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return {**asdict(self), "new_tags": list(self.new_tags), "heated": list(self.heated)}


@dataclass(frozen=True, slots=True)
class HotTag:
    """A tag with the heat that it has now."""

    tag: TagRecord
    heat: float

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return {**self.tag.to_json(), "heat": self.heat}


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


def hot_tags(installation: Installation, *, limit: int = 50) -> list[HotTag]:
    """Return the hottest tags, active and quarantined, the hottest first."""
    now, half_life = installation.clock(), _half_life(installation.settings.topics)
    with installation.database.read() as connection:
        warm = select(tags.c.id, tags.c.heat, tags.c.heat_at).where(
            tags.c.heat > 0, tags.c.state.in_(["active", "quarantined"])
        )
        by_heat = sorted(
            ((heat_now(row.heat, row.heat_at, now, half_life), row.id) for row in connection.execute(warm)),
            key=lambda one: (-one[0], one[1]),
        )[:limit]
        records = load(connection, (tag_id for _, tag_id in by_heat))
    return [HotTag(records[tag_id], heat) for heat, tag_id in by_heat if tag_id in records]


def retire_cooled(installation: Installation) -> list[int]:
    """Retire the topics that have expired, one change a feed; return the versions of the changes."""
    now = installation.clock()
    with installation.database.read() as connection:
        if not plans_to_retire(connection, now):
            return []
    with installation.database.write() as connection:
        lock_library(connection)
        return [
            commit(connection, plan, origin, now).version for origin, plan in plans_to_retire(connection, now)
        ]


def poll_due(
    installation: Installation, similar: Similar | None = None, *, limit: int = AT_ONCE
) -> list[PollOutcome]:
    """Poll the feeds that are due, at most `limit`, and retire topics that have cooled; meant for every idle moment.

    Args:
        similar: tells which phrases mean the same as a tag, by vectors; without, names alone are compared.
    """
    retire_cooled(installation)
    lease = _lease(installation.settings.topics)
    with installation.database.read() as connection:
        now = installation.clock()
        if not any(feed.state == "active" and feed.next_at <= now for feed in feeds.list_feeds(connection)):
            return []
    outcomes = []
    for _ in range(limit):  # one by one, so that a lease covers the work on one feed only
        with installation.database.write() as connection:
            leased = feeds.lease_due(connection, installation.clock(), lease, limit=1)
        if not leased:
            break
        outcomes.append(_poll(installation, leased[0], similar))
    return outcomes


def poll_feed(installation: Installation, feed: str, similar: Similar | None = None) -> PollOutcome:
    """Poll one feed now, whether it is due, paused, or neither.

    Raises:
        NotFoundError: there is none.
        ConflictError: somebody else is polling it.
    """
    with installation.database.write() as connection:
        found = feeds.find_feed(connection, feed)
        lease = _lease(installation.settings.topics)
        leased = feeds.lease_one(connection, found.id, installation.clock(), lease)
    return _poll(installation, leased, similar)


def _poll(installation: Installation, feed: FeedRecord, similar: Similar | None) -> PollOutcome:
    """Fetch and read a leased feed, and keep what came of it."""
    settings = installation.settings.topics
    remark = None
    try:
        got = _fetch(feed, settings)
        remark = f"only its first {settings.max_bytes:,} bytes were read" if got.cut else None
        content = FeedContent(())
        if not got.unchanged:
            kind = got.content_type or _type_by_name(feed.url)
            seconds = settings.deadline_seconds
            content = read_feed(got.body, feed.kind, kind, most=settings.max_entries, seconds=seconds)
    except (FetchError, FeedError, MissingExtraError) as fault:
        error = str(fault) if remark is None else f"{fault} ({remark})"
        with installation.database.write() as connection:
            kept = feeds.settle_failed(connection, feed, installation.clock(), error)
        return PollOutcome(feed.id, feed.url, error=error, remark=remark, lost=not kept)
    news = _news(installation, feed, content, similar)
    try:
        return _keep(installation, feed, got, content, news, remark)
    except _LostError:
        return PollOutcome(feed.id, feed.url, lost=True)


@dataclass(frozen=True, slots=True)
class _News:
    """What is new in a feed, which of it bursts, and which tags that is by meaning."""

    entries: tuple[Entry, ...]
    counted: Tally
    bursts: tuple[Burst, ...]
    similar: dict[str, int]
    language: str | None


class _LostError(Exception):
    """The lease is another's: nothing of this poll is kept."""


def _fetch(feed: FeedRecord, settings: TopicSettings) -> Fetched:
    limits = FetchLimits(
        max_bytes=settings.max_bytes,
        seconds=settings.deadline_seconds,
        allow_private=feed.allow_private,
        allow_files=feed.url.startswith("file:"),
    )
    got = fetch(feed.url, limits, etag=feed.etag, modified=feed.modified, accept=ACCEPT)
    same_file = feed.url.startswith("file:") and got.modified == feed.modified
    return replace(got, body=b"", unchanged=True) if same_file else got


def _news(
    installation: Installation, feed: FeedRecord, content: FeedContent, similar: Similar | None
) -> _News:
    """Return what is new in a feed; nothing is written, so that the model of `similar` keeps no writer waiting."""
    settings, now = installation.settings.topics, installation.clock()
    language = guess_language((entry.headline for entry in content.entries), content.language)
    stop = stop_words(language)
    with installation.database.read() as connection:
        fresh = new_entries(connection, feed.id, content.entries)
        counted = tally(((entry, phrases_of(entry.headline, stop)) for entry in fresh), now)
        window = max(math.ceil(settings.half_life_hours), 1)
        counts, recent, past = recent_and_past(connection, feed.id, counted, now, window)
        found = bursting(counts, recent, past, min_score=settings.min_burst, min_entries=settings.min_entries)
        named = named_tags(connection, found)
    near = similar_tags(found, named, similar)
    return _News(tuple(fresh), counted, tuple(found), near, language)


def _keep(
    installation: Installation,
    feed: FeedRecord,
    got: Fetched,
    content: FeedContent,
    news: _News,
    remark: str | None,
) -> PollOutcome:
    """Count what is new, and change the library accordingly, in one transaction.

    Raises:
        _LostError: the lease was lost.
    """
    settings, now = installation.settings.topics, installation.clock()
    with installation.database.write() as connection:
        lock_library(connection)
        kept = feeds.settle(
            connection,
            feed,
            now,
            etag=None if got.cut else got.etag or feed.etag,
            modified=None if got.cut else got.modified or feed.modified,
            remark=remark,
        )
        if not kept:
            raise _LostError
        remember(connection, feed.id, content.entries, news.entries, now)
        count(connection, feed.id, news.counted)
        forget(connection, feed.id, now)
        known = {**news.similar, **named_tags(connection, news.bursts)}
        topics = plan_topics(
            connection,
            feed,
            news.bursts,
            known,
            now,
            most_new=settings.most_new,
            language=news.language,
        )
        version = None
        if not topics.plan.empty:
            version = commit(connection, topics.plan, feed.origin, now).version
        gains = dict.fromkeys((tag.id for tag in topics.known.values()), 0.0)
        for key, tag in topics.known.items():
            gains[tag.id] += news.counted.total(key)
        write_heat(connection, gains, now, _half_life(settings))
    return PollOutcome(
        feed.id,
        feed.url,
        entries=len(news.entries),
        new_tags=tuple(edit.after.text for edit in topics.plan.edits if edit.before is None and edit.after),
        heated=tuple(dict.fromkeys(tag.text for tag in topics.known.values())),
        version=version,
        remark=remark,
    )


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


def _type_by_name(url: str) -> str:
    """Return the type that the name of a file tells, for what comes without one."""
    suffix = Path(url).suffix.lower()
    return {".csv": "text/csv", ".json": "application/json", ".xml": "text/xml"}.get(suffix, "")


def _half_life(settings: TopicSettings) -> timedelta:
    return timedelta(hours=settings.half_life_hours)


def _lease(settings: TopicSettings) -> timedelta:
    return timedelta(seconds=2 * settings.deadline_seconds) + LEASE_SLACK
