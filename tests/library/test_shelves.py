"""Leases: nobody works on the same video twice at a time, nobody's work is lost, and a wrong clock blocks nothing."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select

from tagtower.config.installation import WorkerSettings
from tagtower.library.database import Database
from tagtower.library.schema import videos
from tagtower.library.shelves import (
    Failure,
    back_off,
    complete,
    count_shelves,
    fail,
    put_back,
    release,
    renew,
    retry_failed,
    take,
)

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
RULES = WorkerSettings(lease_seconds=60, attempts=3, backoff_seconds=10, backoff_ceiling_seconds=15)
BROKEN = Failure("memory", "too much memory", "Give it more.")


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def hand_in(database: Database, count: int) -> list[int]:
    with database.write() as connection:
        return [
            connection.execute(
                insert(videos).values(
                    title=f"video {one}", added_at=NOON, shelf="unlabelled", shelved_at=NOON
                )
            ).inserted_primary_key[0]
            for one in range(count)
        ]


def lease(database: Database, count: int = 8, worker: str = "one", now: datetime = NOON, rules=RULES):
    with database.write() as connection:
        return take(connection, worker, count, now=now, rules=rules)


def row(database: Database, video: int):
    with database.read() as connection:
        return connection.execute(select(videos).where(videos.c.id == video)).one()


def ended(database: Database, video, failure: Failure = BROKEN, now: datetime = NOON):
    with database.write() as connection:
        return fail(connection, video.id, video.token, failure, now=now, rules=RULES)


def finish(database: Database, leased, now: datetime = NOON) -> set[int]:
    with database.write() as connection:
        return complete(connection, [one.id for one in leased], leased[0].token, now=now)


def test_a_leased_video_is_nobody_elses(database: Database) -> None:
    ids = hand_in(database, 5)
    first, second = lease(database, 3), lease(database, 3, "two")
    assert [one.id for one in first] == ids[:3]
    assert [one.id for one in second] == ids[3:]
    assert lease(database) == []


def test_leases_run_out_and_renewing_prevents_it(database: Database) -> None:
    hand_in(database, 2)
    (kept,), (dropped,) = lease(database, 1), lease(database, 1)
    with database.write() as connection:
        assert renew(connection, [kept.token], now=later(50), rules=RULES) == 1
    assert [one.id for one in lease(database, now=later(61))] == [dropped.id]


def test_only_the_token_that_holds_a_video_finishes_it(database: Database) -> None:
    hand_in(database, 1)
    slow = lease(database)
    fast = lease(database, worker="two", now=later(61))
    assert finish(database, slow, later(62)) == set()
    with database.write() as connection:
        assert renew(connection, [slow[0].token], now=later(62), rules=RULES) == 0
        assert release(connection, slow[0].token) == 0
    assert ended(database, slow[0]) is None
    assert finish(database, fast, later(63)) == {fast[0].id}
    assert finish(database, fast, later(63)) == set()
    done = row(database, fast[0].id)
    assert (done.shelf, done.shelved_at, done.lease_token, done.attempts) == ("labelled", later(63), None, 0)


def test_a_late_worker_may_finish_what_nobody_took_over(database: Database) -> None:
    hand_in(database, 1)
    leased = lease(database)
    assert finish(database, leased, later(1000)) == {leased[0].id}


def test_failures_wait_longer_each_time_and_end_on_the_failed_shelf(database: Database) -> None:
    (video,) = hand_in(database, 1)
    (leased,) = lease(database)
    assert ended(database, leased) == "unlabelled"
    assert lease(database, now=later(9)) == []
    (leased,) = lease(database, now=later(10))
    assert leased.attempts == 1
    assert ended(database, leased, now=later(10)) == "unlabelled"
    assert lease(database, now=later(24)) == []
    (leased,) = lease(database, now=later(25))
    assert ended(database, leased, now=later(25)) == "failed"
    found = row(database, video)
    assert found.error == {"type": "memory", "message": "too much memory", "hint": "Give it more."}
    assert (found.shelf, found.attempts, found.lease_token) == ("failed", 3, None)
    assert lease(database, now=later(10_000)) == []


def test_a_lasting_failure_ends_at_once(database: Database) -> None:
    (video,) = hand_in(database, 1)
    (leased,) = lease(database)
    assert ended(database, leased, Failure("not-media", "is text", lasting=True)) == "failed"
    assert row(database, video).error["type"] == "not-media"


def test_what_is_due_again_comes_before_what_is_new(database: Database) -> None:
    ids = hand_in(database, 3)
    (leased,) = lease(database, 1)
    ended(database, leased)
    assert [one.id for one in lease(database, 2, now=later(10))] == [ids[0], ids[1]]


def test_a_release_gives_videos_back_untouched(database: Database) -> None:
    ids = hand_in(database, 3)
    leased = lease(database)
    with database.write() as connection:
        assert release(connection, leased[0].token, [ids[1]]) == 1
        assert release(connection, leased[0].token) == 2
    again = lease(database)
    assert [(one.id, one.attempts) for one in again] == [(one, 0) for one in ids]


def test_a_worker_that_vanished_costs_its_videos_an_attempt(database: Database) -> None:
    (video,) = hand_in(database, 1)
    lease(database)
    (again,) = lease(database, worker="two", now=later(61))
    assert again.attempts == 1
    assert row(database, video).error["type"] == "lost"
    assert "one" in row(database, video).error["message"]


def test_what_ends_its_worker_again_and_again_takes_no_other_video_with_it(database: Database) -> None:
    ids = hand_in(database, 4)  # the third ends whoever opens it
    now, leases = NOON, 0
    for _ in range(400):
        now += timedelta(seconds=5)
        leased = lease(database, 4, now=now)
        if not leased:
            continue
        leases += 1
        for one in leased:
            if one.id == ids[2]:
                now += timedelta(seconds=61)  # until somebody notices
                break
            with database.write() as connection:
                complete(connection, [one.id], one.token, now=now)
    shelves = {video: row(database, video).shelf for video in ids}
    assert shelves == {ids[0]: "labelled", ids[1]: "labelled", ids[2]: "failed", ids[3]: "labelled"}
    assert row(database, ids[3]).attempts == 0
    found = row(database, ids[2])
    assert (found.error["type"], found.attempts) == ("lost", 2 * RULES.attempts)


def test_a_lost_video_waits_longer_each_time_but_not_after_the_first(database: Database) -> None:
    first, _ = hand_in(database, 2)
    lease(database, 1)
    (again,) = lease(database, 1, now=later(61))
    assert (again.id, again.attempts) == (first, 1)
    waits, at = [], 61.0
    for _ in range(3):
        at += 61
        (other,) = lease(database, 1, now=later(at))
        assert other.id != first
        with database.write() as connection:
            release(connection, other.token)
        waits.append((row(database, first).not_before - later(at)).total_seconds())
        at += waits[-1]
        (again,) = lease(database, 1, now=later(at))
        assert again.id == first
    assert waits == [10, 15, 15]  # the last at its ceiling


@pytest.mark.parametrize("jump", [timedelta(hours=-3), timedelta(days=-400)])
def test_a_clock_that_is_set_back_blocks_nothing(database: Database, jump: timedelta) -> None:
    ids = hand_in(database, 2)
    (leased,) = lease(database, 1)
    ended(database, leased)  # waits for a time that is far ahead after the jump
    lease(database, 1)  # as is the end of this lease
    assert {one.id for one in lease(database, worker="two", now=NOON + jump)} == set(ids)


def test_a_clock_that_is_seconds_ahead_loses_no_lease(database: Database) -> None:
    hand_in(database, 1)
    lease(database, now=later(20))
    assert lease(database, worker="two", now=NOON) == []


def test_failed_videos_are_tried_again_on_request(database: Database) -> None:
    ids = hand_in(database, 3)
    leased = lease(database)
    for one, kind in zip(leased, ("missing", "missing", "damaged"), strict=True):
        ended(database, one, Failure(kind, "no", lasting=True))
    with database.write() as connection:
        assert retry_failed(connection, now=NOON, ids=[ids[0]]) == 1
        assert retry_failed(connection, now=NOON, kinds=["missing"]) == 1
    assert [(one.id, one.attempts) for one in lease(database)] == [(ids[0], 0), (ids[1], 0)]
    assert row(database, ids[2]).shelf == "failed"


def test_a_labelled_video_can_be_put_back(database: Database) -> None:
    ids = hand_in(database, 1)
    finish(database, lease(database))
    with database.write() as connection:
        assert put_back(connection, ids, now=NOON) == 1
        assert put_back(connection, ids, now=NOON) == 0
    assert [one.id for one in lease(database)] == ids


def test_the_counts_name_every_video_once(database: Database) -> None:
    hand_in(database, 6)
    leased = lease(database, 4)
    finish(database, leased[:2])
    ended(database, leased[2], Failure("damaged", "no", lasting=True))
    with database.read() as connection:
        counts = count_shelves(connection, now=NOON, rules=RULES)
    assert counts.to_json() == {"unlabelled": 3, "labelled": 2, "failed": 1, "leased": 1, "waiting": 0}
    assert counts.all == 6


def test_many_workers_at_a_time_take_every_video_once(database: Database) -> None:
    ids = hand_in(database, 60)
    taken: list[int] = []
    faults: list[BaseException] = []

    def work(name: str) -> None:
        try:
            while leased := lease(database, 4, name):
                taken.extend(finish(database, leased))
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(f"worker {one}",)) for one in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert sorted(taken) == ids


@given(st.integers(1, 5000))
def test_waits_never_exceed_their_ceiling(attempts: int) -> None:
    rules = WorkerSettings(backoff_seconds=30, backoff_ceiling_seconds=3600)
    wait = back_off(attempts, rules)
    assert back_off(1, rules) <= wait <= timedelta(seconds=3600)
