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
from tagtower.errors import FeedError, FetchError, MissingExtraError
from tagtower.library import feeds
from tagtower.library.curation.committing import commit, lock_library
from tagtower.library.curation.reading import load
from tagtower.library.curation.record import TagRecord
from tagtower.library.feeds import FeedRecord
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
from tagtower.net.fetch import Fetched, FetchLimits, fetch
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


@dataclass(frozen=True, slots=True)
class FeedRead:
    """What a leased feed gave, before anything is kept of it: what was fetched and its entries, or an error."""

    feed: FeedRecord
    got: Fetched | None
    content: FeedContent
    error: str | None = None
    remark: str | None = None


def poll_due(
    installation: Installation, similar: Similar | None = None, *, limit: int = AT_ONCE
) -> list[PollOutcome]:
    """Poll the feeds that are due, at most `limit`, and retire topics that have cooled.

    Args:
        similar: tells which phrases mean the same as a tag, by vectors; without, names alone are compared.
    """
    retire_cooled(installation)
    outcomes = []
    for _ in range(limit):  # one by one, so that a lease covers the work on one feed only
        feed = lease_due(installation)
        if feed is None:
            break
        outcomes.append(take_in(installation, read_leased(installation, feed), similar))
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
    return take_in(installation, read_leased(installation, leased), similar)


def lease_due(installation: Installation) -> FeedRecord | None:
    """Lease the feed that is longest overdue, None where none is due; one question where none is."""
    with installation.database.read() as connection:
        if not feeds.any_due(connection, installation.clock()):
            return None
    with installation.database.write() as connection:
        lease = _lease(installation.settings.topics)
        leased = feeds.lease_due(connection, installation.clock(), lease, limit=1)
    return leased[0] if leased else None


def read_leased(installation: Installation, feed: FeedRecord) -> FeedRead:
    """Fetch and read a leased feed; it takes twice the deadline at most, and touches neither database nor model."""
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
        return FeedRead(feed, None, FeedContent(()), error, remark)
    return FeedRead(feed, got, content, None, remark)


def take_in(installation: Installation, read: FeedRead, similar: Similar | None = None) -> PollOutcome:
    """Keep what a leased feed gave: its error, or its entries and the hot topics among them.

    Args:
        similar: tells which phrases mean the same as a tag, by vectors; without, names alone are compared.
    """
    feed = read.feed
    if read.got is None:
        with installation.database.write() as connection:
            kept = feeds.settle_failed(connection, feed, installation.clock(), read.error or "")
        return PollOutcome(feed.id, feed.url, error=read.error, remark=read.remark, lost=not kept)
    news = _news(installation, feed, read.content, similar)
    try:
        return _keep(installation, feed, read.got, read.content, news, read.remark)
    except _LostError:
        return PollOutcome(feed.id, feed.url, lost=True)


def give_back(installation: Installation, feed: FeedRecord) -> None:
    """Give up the lease on a feed, so that another worker may poll it at once."""
    with installation.database.write() as connection:
        feeds.release(connection, feed)


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


def _type_by_name(url: str) -> str:
    """Return the type that the name of a file tells, for what comes without one."""
    suffix = Path(url).suffix.lower()
    return {".csv": "text/csv", ".json": "application/json", ".xml": "text/xml"}.get(suffix, "")


def _half_life(settings: TopicSettings) -> timedelta:
    return timedelta(hours=settings.half_life_hours)


def _lease(settings: TopicSettings) -> timedelta:
    return timedelta(seconds=2 * settings.deadline_seconds) + LEASE_SLACK
