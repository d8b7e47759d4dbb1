"""Suggestions: writing twice leaves the same, a model's own word stands before a sweep's, ranks stay unique."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, select

from tagtower.library.database import Database
from tagtower.library.schema import answers, models, suggestions, tags, videos
from tagtower.library.suggestions import (
    ModelAnswer,
    Suggested,
    add_retro,
    forget_answers,
    write_model_answers,
    write_suggestions,
)

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def filled(database: Database) -> Database:
    """Two videos, two models, six tags."""
    with database.write() as connection:
        for number in (1, 2):
            connection.execute(
                insert(videos).values(id=number, added_at=NOON, shelf="labelled", shelved_at=NOON)
            )
            connection.execute(
                insert(models).values(
                    id=number,
                    name=f"model {number}",
                    folder=f"m{number}",
                    fingerprint=f"f{number}",
                    vector_fingerprint="v",
                    width=4,
                    distance="cosine",
                    state="ready",
                    added_at=NOON,
                )
            )
        for number in range(1, 7):
            connection.execute(
                insert(tags).values(
                    id=number, text=f"tag {number}", state="active", origin="person", created_at=NOON
                )
            )
    return database


def one(tag: int, rank: int = 1, score: float | None = 0.5, distance: float = 0.1) -> Suggested:
    return Suggested(tag, rank, distance, score, {"second": 1.0})


def write(
    database: Database, *suggested: Suggested, origin="model", model: int = 1, version: int = 7
) -> None:
    with database.write() as connection:
        write_suggestions(connection, 1, model, suggested, origin=origin, library_version=version, at=NOON)


def retro(database: Database, *found: tuple[int, Suggested], version: int = 8) -> int:
    with database.write() as connection:
        return add_retro(connection, 1, found, library_version=version, at=NOON)


def stored(database: Database, video: int = 1, model: int = 1) -> list[tuple[str, int, int]]:
    with database.read() as connection:
        rows = connection.execute(
            select(suggestions)
            .where(suggestions.c.video_id == video, suggestions.c.model_id == model)
            .order_by(suggestions.c.origin, suggestions.c.rank)
        )
        return [(row.origin, row.rank, row.tag_id) for row in rows]


def test_writing_twice_leaves_the_same(filled: Database) -> None:
    for _ in range(2):
        write(filled, one(3), one(1, 2))
    assert stored(filled) == [("model", 1, 3), ("model", 2, 1)]


def test_a_new_answer_replaces_the_old_one_of_its_model_alone(filled: Database) -> None:
    write(filled, one(3), one(1, 2))
    write(filled, one(4), model=2)
    write(filled, one(2))
    assert stored(filled) == [("model", 1, 2)]
    assert stored(filled, model=2) == [("model", 1, 4)]


def test_an_answer_without_a_tag_is_an_answer(filled: Database) -> None:
    answer = ModelAnswer(1, (), 9, {"text": 1.0}, ("odd",))
    for _ in range(2):
        with filled.write() as connection:
            write_model_answers(connection, 1, [answer], at=NOON)
    with filled.read() as connection:
        row = connection.execute(select(answers)).one()
    assert (row.video_id, row.model_id, row.library_version) == (1, 1, 9)
    assert (row.modalities, row.warnings) == ({"text": 1.0}, ["odd"])


def test_a_sweep_never_overrides_what_the_model_said(filled: Database) -> None:
    write(filled, one(1, score=0.9))
    assert retro(filled, (1, one(1, score=0.2)), (1, one(2, score=0.4))) == 1
    write(filled, one(1), one(2, 2), origin="retro")
    assert stored(filled) == [("model", 1, 1), ("retro", 2, 2)]


def test_the_models_word_takes_the_place_of_a_sweeps(filled: Database) -> None:
    retro(filled, (1, one(1)), (1, one(2)))
    write(filled, one(2))
    assert stored(filled) == [("model", 1, 2), ("retro", 1, 1)]


def test_later_sweeps_leave_what_earlier_ones_found(filled: Database) -> None:
    assert retro(filled, (1, one(1, score=0.6)), (2, one(1, score=0.7))) == 2
    assert retro(filled, (1, one(2, score=0.9)), (1, one(3, score=0.1))) == 2
    assert retro(filled, (1, one(3, score=0.8))) == 0
    assert stored(filled) == [("retro", 1, 2), ("retro", 2, 3), ("retro", 3, 1)]
    assert stored(filled, video=2) == [("retro", 1, 1)]


def test_without_scores_sweeps_rank_by_distance(filled: Database) -> None:
    retro(filled, (1, one(1, score=None, distance=0.3)))
    retro(filled, (1, one(2, score=None, distance=0.2)))
    assert stored(filled) == [("retro", 1, 2), ("retro", 2, 1)]


def test_answers_for_many_videos_at_a_time_are_those_for_each(filled: Database) -> None:
    retro(filled, (1, one(1)), (2, one(3)))
    with filled.write() as connection:
        given = [ModelAnswer(1, (one(1), one(2, 2)), 7), ModelAnswer(2, (one(2),), 7)]
        write_model_answers(connection, 1, given, at=NOON)
    assert stored(filled) == [("model", 1, 1), ("model", 2, 2)]
    assert stored(filled, video=2) == [("model", 1, 2), ("retro", 1, 3)]
    with filled.read() as connection:
        assert sorted(connection.scalars(select(answers.c.video_id))) == [1, 2]


def test_a_tag_that_is_gone_is_left_out(filled: Database) -> None:
    write(filled, one(99), one(1, 2))
    assert retro(filled, (1, one(98))) == 0
    assert stored(filled) == [("model", 2, 1)]


def test_answers_can_be_forgotten(filled: Database) -> None:
    write(filled, one(1))
    write(filled, one(1), model=2)
    with filled.write() as connection:
        forget_answers(connection, [1], 1)
    assert (stored(filled), stored(filled, model=2)) == ([], [("model", 1, 1)])
    with filled.read() as connection:
        assert connection.execute(select(answers.c.model_id)).scalars().all() == [2]


def test_neighbours_that_were_erased_meanwhile_are_no_evidence(filled) -> None:
    neighbours = [
        {"id": "video:2", "weight": 0.4, "video": 2},
        {"id": "a name", "weight": 0.3, "video": 99},
        {"id": "video:98", "weight": 0.2},
        {"id": "of the model", "weight": 0.1},
    ]
    write(filled, Suggested(1, 1, 0.1, 0.5, {"neighbours": neighbours, "second": 3.0}))
    with filled.read() as connection:
        found = connection.scalar(select(suggestions.c.evidence))
    assert found == {"neighbours": [neighbours[0], neighbours[3]], "second": 3.0}
