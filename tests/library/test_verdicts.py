"""The last word of a person counts, whatever models, merges and clocks do."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, select, update

from tagtower.errors import ConflictError, NotFoundError, UsageError
from tagtower.library import schema
from tagtower.library.verdicts import count_verdicts, give_verdict, withdraw_verdict
from tagtower.library.videos.shown import members_of, said_tags

NOW = datetime(2030, 6, 1, tzinfo=UTC)


def say(database, video, tag, verdict, at=NOW, author="ann"):
    with database.write() as connection:
        return give_verdict(connection, video, members_of(connection, tag), verdict, author=author, at=at)


def withdraw(database, video, tag):
    with database.write() as connection:
        return withdraw_verdict(connection, video, members_of(connection, tag))


def last(database, video):
    with database.read() as connection:
        return {one.tag: one.verdict for one in said_tags(connection, [video]).get(video, ())}


def test_the_last_word_counts(rows, database) -> None:
    video, tag = rows.video(), rows.tag("fox")
    assert say(database, video, tag, "add").before is None
    assert say(database, video, tag, "reject").before == "add"
    assert last(database, video) == {"fox": "reject"}
    assert withdraw(database, video, tag).before == "reject"
    assert last(database, video) == {}
    assert withdraw(database, video, tag).before is None


def test_a_judged_suggestion_is_kept_beside_the_word(rows, database) -> None:
    model, video, tag = rows.model(), rows.video(), rows.tag("fox")
    rows.suggest(video, model, tag, score=0.7, distance=0.3)
    assert say(database, video, tag, "accept").verdict == "accept"
    with database.read() as connection:
        row = connection.execute(select(schema.verdicts)).one()
    assert (row.model_id, row.score, row.distance, row.author) == (model, 0.7, 0.3, "ann")


def test_accepting_what_nobody_suggested_adds_it(rows, database) -> None:
    rows.model()
    assert say(database, rows.video(), rows.tag("fox"), "accept").verdict == "add"


def test_words_survive_the_retirement_of_models_and_tags(rows, database) -> None:
    model, video, tag = rows.model(), rows.video(), rows.tag("fox")
    rows.suggest(video, model, tag)
    say(database, video, tag, "accept")
    with database.write() as connection:
        connection.execute(update(schema.models).values(state="retired"))
        connection.execute(delete(schema.suggestions))
        connection.execute(update(schema.tags).values(state="retired"))
    assert last(database, video) == {"fox": "accept"}


def test_a_word_on_a_merged_tag_is_one_on_its_root_and_comes_back_when_it_is_split(rows, database) -> None:
    video, root = rows.video(), rows.tag("auto")
    car = rows.tag("car")
    say(database, video, car, "add")
    with database.write() as connection:
        connection.execute(
            update(schema.tags).where(schema.tags.c.id == car).values(state="merged", merged_into=root)
        )
    assert last(database, video) == {"auto": "add"}
    say(database, video, car, "reject")
    assert last(database, video) == {"auto": "reject"}
    with database.write() as connection:
        connection.execute(
            update(schema.tags).where(schema.tags.c.id == car).values(state="active", merged_into=None)
        )
    assert last(database, video) == {"auto": "reject", "car": "add"}


def test_the_last_word_counts_though_the_clock_was_set_back(rows, database) -> None:
    video, root = rows.video(), rows.tag("auto")
    car = rows.tag("car", into=root)
    rows.ticks = 10**8
    rows.say(video, car, "add")
    say(database, video, root, "reject", at=NOW - timedelta(days=3000))
    assert last(database, video) == {"auto": "reject"}


def test_the_same_word_again_changes_nothing(rows, database) -> None:
    video, tag = rows.video(), rows.tag("fox")
    say(database, video, tag, "add", at=NOW)
    say(database, video, tag, "add", at=NOW + timedelta(days=1))
    with database.read() as connection:
        assert connection.scalar(select(schema.verdicts.c.at)) == NOW
    say(database, video, tag, "add", at=NOW + timedelta(days=1), author="bob")
    with database.read() as connection:
        assert connection.scalar(select(schema.verdicts.c.author)) == "bob"
        assert count_verdicts(connection) == {"add": 1}


def test_a_retired_tag_can_be_rejected_but_not_given(rows, database) -> None:
    video, tag = rows.video(), rows.tag("fox", state="retired")
    for word in ("accept", "add"):
        with pytest.raises(ConflictError, match="not in use"):
            say(database, video, tag, word)
    assert say(database, video, tag, "reject").verdict == "reject"


def test_a_video_that_is_not_there_has_no_tags(rows, database) -> None:
    tag = rows.tag("fox")
    with pytest.raises(NotFoundError):
        say(database, 99, tag, "add")
    with pytest.raises(NotFoundError):
        withdraw(database, 99, tag)


@pytest.mark.parametrize("author", ["", "  ", "x" * 1000, "a\0b", "\ud800"])
def test_who_says_something_has_a_name(rows, database, author) -> None:
    with pytest.raises(UsageError):
        say(database, rows.video(), rows.tag("fox"), "add", author=author)


def test_many_at_once_leave_one_word_each(rows, database) -> None:
    video, tags = rows.video(), [rows.tag(f"t{n}") for n in range(3)]
    faults: list[Exception] = []

    def work(author: str) -> None:
        try:
            for word in ("add", "reject", "add"):
                for tag in tags:
                    say(database, video, tag, word, author=author)
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(f"a{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert last(database, video) == {"t0": "add", "t1": "add", "t2": "add"}
