"""Which videos come first in review."""

from __future__ import annotations

import pytest
from sqlalchemy import insert

from tagtower.library import schema
from tagtower.usecases.installation import curate
from tagtower.usecases.installation.judging import judge
from tagtower.usecases.installation.queue import review_queue


@pytest.fixture
def suggest(installation, archive):
    """Suggests a tag, made where there is none, on a video with a probability; as a sweep does if `retro`."""
    made: dict[str, int] = {}

    def suggest(video: int, tag: str, score: float | None, *, retro: bool = False) -> None:
        if tag not in made:
            made[tag] = curate.add(installation, curate.Editing("Ada"), tag).tag.id
        at = installation.clock()
        with installation.database.write() as connection:
            connection.execute(
                insert(schema.suggestions).values(
                    video_id=video, model_id=archive.model, tag_id=made[tag], rank=1, distance=0.5, score=score,
                    origin="retro" if retro else "model", library_version=1, at=at,
                )
            )  # fmt: skip
            if retro:
                connection.execute(schema.sweeps.delete().where(schema.sweeps.c.tag_id == made[tag]))
                connection.execute(
                    insert(schema.sweeps).values(
                        tag_id=made[tag], model_id=archive.model, asked_at=at, done_at=at, hits=1
                    )
                )

    return suggest


def order(installation, **more) -> list[int]:
    return [one.video_id for one in review_queue(installation, **more).first]


def test_without_a_model_nothing_waits(installation):
    assert review_queue(installation).first == ()


def test_the_most_doubtful_video_comes_first(installation, archive, suggest):
    sure, unsure, neither = archive.videos
    suggest(sure, "red", 0.97)
    suggest(unsure, "red", 0.52)
    suggest(neither, "red", 0.3)
    assert order(installation) == [unsure, neither, sure]


def test_a_new_tag_comes_before_all_doubt(installation, archive, suggest):
    old, doubtful, new = archive.videos
    suggest(old, "red", 0.9)
    suggest(doubtful, "red", 0.5)
    suggest(new, "eclipse", 0.99, retro=True)
    assert order(installation)[0] == new
    assert review_queue(installation).first[0].why == "new tag"


def test_a_judged_new_tag_waits_no_more(installation, archive, suggest):
    suggest(archive.videos[0], "eclipse", 0.9, retro=True)
    judge(installation, archive.videos[0], [("eclipse", "reject")], author="Ada")
    assert order(installation) == []


def test_a_reviewed_video_waits_no_more_but_for_a_new_tag(installation, archive, suggest):
    suggest(archive.videos[0], "red", 0.5)
    suggest(archive.videos[0], "blue", 0.5)
    judge(installation, archive.videos[0], [("red", "accept")], author="Ada")
    assert order(installation) == []
    suggest(archive.videos[0], "eclipse", 0.9, retro=True)
    assert order(installation) == [archive.videos[0]]


def test_a_video_without_a_tag_does_not_wait(installation, archive, suggest):
    suggest(archive.videos[1], "red", 0.6)
    assert order(installation) == [archive.videos[1]]


def test_what_is_skipped_is_left_out(installation, archive, suggest):
    for video in archive.videos:
        suggest(video, "red", 0.6)
    assert set(order(installation, skip=archive.videos[:2])) == {archive.videos[2]}


def test_a_model_without_calibration_has_no_doubt(installation, archive, suggest):
    suggest(archive.videos[0], "red", None)
    (only,) = review_queue(installation).first
    assert (only.why, only.doubt) == ("unreviewed", 0.5)
