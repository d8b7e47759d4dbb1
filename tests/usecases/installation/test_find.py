"""Answers come in pages that nothing shifts, newest first or nearest first, and cursors cannot be forged."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sqlalchemy import event

from tagtower.errors import NotFoundError, UsageError
from tagtower.library.vectors import vector_store
from tagtower.usecases.installation.find import Search, count_videos, find_videos, show_video

from ...library_rows import Rows


@pytest.fixture
def rows(installation) -> Rows:
    return Rows(installation.database)


def pages(installation, search: Search, limit: int, between=lambda: None) -> list[int]:
    """Every number of an answer, page by page."""
    found, cursor = [], None
    while True:
        page = find_videos(installation, search, limit=limit, cursor=cursor)
        found += [one.video.id for one in page.videos]
        between()
        if page.next is None:
            return found
        assert len(page.videos) == limit
        cursor = page.next


def test_pages_hold_everything_once_newest_first(installation, rows) -> None:
    model, tag = rows.model(), rows.tag("fox")
    videos = [rows.video("red fox") for _ in range(23)]
    for video in videos:
        rows.suggest(video, model, tag)
    for search in (Search(), Search(tags=("fox",)), Search(words="fox"), Search(tags=("fox",), words="red")):
        for limit in (1, 5, 23, 100):
            assert pages(installation, search, limit) == videos[::-1]
    assert count_videos(installation, Search(tags=("fox",)), most=10) == 10
    assert count_videos(installation, Search(tags=("fox",))) == 23


def test_a_video_that_is_added_meanwhile_shifts_no_page(installation, rows) -> None:
    videos = [rows.video("fox") for _ in range(9)]
    assert pages(installation, Search(words="fox"), 4, lambda: rows.video("fox")) == videos[::-1]


def test_a_changed_or_foreign_cursor_is_wrong_use(installation, rows) -> None:
    for _ in range(3):
        rows.video("fox")
    cursor = find_videos(installation, Search(words="fox"), limit=1).next
    assert cursor is not None
    for wrong, search in (
        (cursor[:-2] + ("A" if cursor[-2] != "A" else "B") + cursor[-1], Search(words="fox")),
        (cursor, Search()),
        (cursor, Search(words="fox", owner="ann")),
        ("", Search(words="fox")),
        ("ÿ" * 10, Search(words="fox")),
        ("x" * 10_000, Search(words="fox")),
    ):
        with pytest.raises(UsageError, match="cursor"):
            find_videos(installation, search, limit=1, cursor=wrong)


@pytest.mark.parametrize("limit", [0, -1, 10_000])
def test_a_page_has_a_size(installation, limit) -> None:
    with pytest.raises(UsageError, match="page"):
        find_videos(installation, Search(), limit=limit)


def test_an_alias_and_a_merged_name_find_the_tag(installation, rows) -> None:
    root = rows.tag("Auto", "car")
    merged = rows.tag("automobile", into=root)
    video = rows.video()
    rows.say(video, merged, "add")
    for name in ("auto", "CAR", "automobile", f"#{merged}", root):
        assert pages(installation, Search(tags=(name,)), 5) == [video]
    with pytest.raises(NotFoundError):
        find_videos(installation, Search(tags=("boat",)))


def test_the_tags_of_a_page_take_no_question_for_each_video(installation, rows) -> None:
    model, tag = rows.model(), rows.tag("fox")
    for _ in range(30):
        rows.suggest(rows.video("fox"), model, tag)
    asked: list[str] = []
    event.listen(installation.database.engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    counts = []
    for limit in (3, 30):
        asked.clear()
        find_videos(installation, Search(tags=("fox",)), limit=limit)
        counts.append(len(asked))
    assert counts[0] == counts[1]


@pytest.fixture
def alike(installation, rows) -> tuple[int, list[int]]:
    """A model and videos on a quarter circle, each a little farther from the first."""
    model = rows.model()
    videos = [rows.video(f"video {n}", owner="even" if n % 2 == 0 else "odd") for n in range(12)]
    angles = np.linspace(0, np.pi / 2, len(videos))
    vectors = np.stack([np.cos(angles), np.sin(angles), np.zeros_like(angles), np.zeros_like(angles)], axis=1)
    store = vector_store(installation.database, installation.vectors)
    with installation.database.write() as connection:
        store.add(connection, model, videos, vectors.astype(np.float32))
    return model, videos


def test_similar_videos_come_nearest_first_without_the_video_itself(installation, rows, alike) -> None:
    _, videos = alike
    assert pages(installation, Search(similar=videos[0]), 4) == videos[1:]
    page = find_videos(installation, Search(similar=videos[0]), limit=3)
    distances = [one.distance for one in page.videos]
    assert distances == sorted(distances)
    assert distances[0] == pytest.approx(1 - np.cos(np.pi / 2 / 11), abs=1e-6)


def test_similar_videos_are_found_among_those_of_other_conditions(installation, rows, alike) -> None:
    _, videos = alike
    tag = rows.tag("fox")
    for video in videos[4:7]:
        rows.say(video, tag, "add")
    search = Search(similar=videos[5], tags=("fox",))
    assert set(pages(installation, search, 10)) == {videos[4], videos[6]}
    assert pages(installation, Search(similar=videos[0], owner="even"), 2) == videos[2::2]


def test_a_similar_video_that_is_added_meanwhile_shifts_no_page(installation, rows, alike) -> None:
    model, videos = alike
    store = vector_store(installation.database, installation.vectors)

    def add_a_near_one() -> None:
        video = rows.video()
        with installation.database.write() as connection:
            store.add(connection, model, [video], np.array([[1.0, 0.001, 0, 0]], np.float32))

    assert pages(installation, Search(similar=videos[0]), 4, add_a_near_one) == videos[1:]


def test_a_cursor_of_similar_videos_ends_with_its_model(installation, rows, alike) -> None:
    from sqlalchemy import update

    from tagtower.library import schema

    _, videos = alike
    cursor = find_videos(installation, Search(similar=videos[0]), limit=2).next
    with installation.database.write() as connection:
        connection.execute(update(schema.models).values(state="retired"))
    new = rows.model(name="new")
    with installation.database.write() as connection:
        vector_store(installation.database, installation.vectors).add(
            connection, new, videos, np.eye(4, dtype=np.float32)[[0] * len(videos)]
        )
    with pytest.raises(UsageError):
        find_videos(installation, Search(similar=videos[0]), limit=2, cursor=cursor)


def test_what_has_no_vector_is_like_nothing(installation, rows) -> None:
    video = rows.video()
    with pytest.raises(NotFoundError, match="no vector"):
        find_videos(installation, Search(similar=video))
    with pytest.raises(NotFoundError, match="no video"):
        find_videos(installation, Search(similar=99))


def test_a_video_is_shown_with_all_that_is_known_of_it(installation, rows) -> None:
    model, video = rows.model(), rows.video("a fox", description="long", owner="ann")
    fox, cat = rows.tag("fox"), rows.tag("cat")
    rows.suggest(video, model, fox, evidence={"second": 2.5}, origin="retro")
    rows.say(video, cat, "reject")
    shown = show_video(installation, video)
    assert shown.model == "m"
    (tag,) = shown.tags
    assert (tag.tag, tag.origin, tag.score, tag.distance, tag.evidence) == (
        "fox",
        "retro",
        0.5,
        0.5,
        {"second": 2.5},
    )
    assert [(one.tag, one.verdict, one.author) for one in shown.verdicts] == [("cat", "reject", "ann")]
    assert [one.owner for one in shown.references] == ["ann"]
    assert json.loads(json.dumps(shown.to_json()))["description"] == "long"
    with pytest.raises(NotFoundError):
        show_video(installation, 99)
