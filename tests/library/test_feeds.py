"""Feeds and who polls them, on both engines: never two at once, and ever less often where it fails."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tagtower.errors import ConflictError, NotFoundError, UsageError
from tagtower.library import feeds

NOW = datetime(2030, 1, 1, tzinfo=UTC)
LEASE = timedelta(minutes=1)


@pytest.fixture
def feed(database):
    with database.write() as connection:
        return feeds.add_feed(connection, "https://example.com/feed", NOW)


def lease(database, at=NOW, limit=10):
    with database.write() as connection:
        return feeds.lease_due(connection, at, LEASE, limit=limit)


def load(database, feed):
    with database.read() as connection:
        return feeds.load_feed(connection, feed.id)


def test_a_new_feed_is_due_at_once_and_leased_once(database, feed):
    assert [one.id for one in lease(database)] == [feed.id]
    assert lease(database) == []
    with pytest.raises(ConflictError, match="being polled"), database.write() as connection:
        feeds.lease_one(connection, feed.id, NOW, LEASE)


def test_a_lease_that_ran_out_is_anothers_and_the_first_keeps_nothing(database, feed):
    first = lease(database)[0]
    second = lease(database, NOW + LEASE)[0]
    with database.write() as connection:
        assert not feeds.settle(connection, first, NOW, etag=None, modified=None, remark=None)
        assert not feeds.settle_failed(connection, first, NOW, "late")
        assert feeds.settle(connection, second, NOW, etag="1", modified=None, remark=None)
    kept = load(database, feed)
    assert (kept.etag, kept.failures, kept.next_at) == ("1", 0, NOW + kept.every)


def test_a_feed_that_fails_is_polled_ever_less_often_and_recovers(database, feed):
    waits = []
    at = NOW
    for _ in range(12):
        leased = lease(database, at)[0]
        with database.write() as connection:
            feeds.settle_failed(connection, leased, at, "dead" * 1000)
        kept = load(database, feed)
        waits.append(kept.next_at - at)
        at = kept.next_at
    assert waits[:3] == [timedelta(minutes=30), timedelta(hours=1), timedelta(hours=2)]
    assert max(waits) == timedelta(days=1)
    assert (kept.failures, len(kept.error)) == (12, 1000)
    leased = lease(database, at)[0]
    with database.write() as connection:
        feeds.settle(connection, leased, at, etag=None, modified=None, remark=None)
    assert (load(database, feed).failures, load(database, feed).error) == (0, None)


def test_a_paused_feed_is_not_due_until_it_is_resumed(database, feed):
    with database.write() as connection:
        feeds.pause_feed(connection, feed.id)
    assert lease(database) == []
    with database.write() as connection:
        feeds.resume_feed(connection, feed.id, NOW)
    assert len(lease(database)) == 1


def test_a_feed_is_found_by_its_number_and_its_url(database, feed):
    with database.read() as connection:
        for reference in (str(feed.id), f"#{feed.id}", feed.url):
            assert feeds.find_feed(connection, reference).id == feed.id
        for reference in ("99", "https://example.com/other"):
            with pytest.raises(NotFoundError):
                feeds.find_feed(connection, reference)


def test_the_same_url_twice_and_spans_of_no_use_are_refused(database, feed):
    with database.write() as connection:
        with pytest.raises(ConflictError, match=f"#{feed.id}"):
            feeds.add_feed(connection, feed.url, NOW)
        with pytest.raises(UsageError):
            feeds.add_feed(connection, "https://example.com/other", NOW, every=timedelta(seconds=1))


def test_the_number_of_a_removed_feed_is_never_given_again(database, feed):
    with database.write() as connection:
        feeds.remove_feed(connection, feed.id)
        assert feeds.add_feed(connection, feed.url, NOW).id > feed.id


def test_the_feeds_that_wait_longest_come_first(database):
    with database.write() as connection:
        for minutes in (1, 3, 2):
            feeds.add_feed(connection, f"https://example.com/{minutes}", NOW - timedelta(minutes=minutes))
    assert [one.url[-1] for one in lease(database, limit=2)] == ["3", "2"]
