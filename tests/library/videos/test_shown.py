"""What a video shows follows what persons said, and the present state of the tag library."""

from __future__ import annotations

import pytest
from sqlalchemy import event, update

from tagtower.errors import NotFoundError
from tagtower.library import schema
from tagtower.library.videos.shown import members_of, said_tags, shown_tags


def test_suggestions_come_by_probability(rows, texts_of) -> None:
    model, video = rows.model(), rows.video()
    for score, text in ((0.2, "unlikely"), (0.9, "likely"), (0.5, "possible")):
        rows.suggest(video, model, rows.tag(text), score=score)
    assert [tag for tag, _ in texts_of(video, model)] == ["likely", "possible", "unlikely"]


def test_without_probabilities_the_models_own_come_first_by_rank(rows, texts_of) -> None:
    model, video = rows.model(), rows.video()
    rows.suggest(video, model, rows.tag("late"), score=None, origin="retro", rank=1, distance=0.1)
    rows.suggest(video, model, rows.tag("second"), score=None, rank=2, distance=0.2)
    rows.suggest(video, model, rows.tag("first"), score=None, rank=1, distance=0.3)
    assert texts_of(video, model) == [("first", "model"), ("second", "model"), ("late", "retro")]


def test_only_the_asked_models_suggestions_are_shown(rows, texts_of) -> None:
    old, new, video = rows.model("retired", "old"), rows.model(), rows.video()
    rows.suggest(video, old, rows.tag("before"))
    assert texts_of(video, new) == []
    assert texts_of(video, None) == []


def test_what_persons_said_comes_first_and_survives_models(rows, texts_of) -> None:
    model, video = rows.model(), rows.video()
    accepted, added = rows.tag("zebra"), rows.tag("ape")
    rows.suggest(video, model, accepted, score=0.1)
    rows.suggest(video, model, rows.tag("other"), score=0.9)
    rows.say(video, accepted, "accept")
    rows.say(video, added, "add")
    assert texts_of(video, model) == [("ape", "person"), ("zebra", "person"), ("other", "model")]
    assert texts_of(video, None) == [("ape", "person"), ("zebra", "person")]


def test_an_accepted_suggestion_keeps_its_figures(rows, database) -> None:
    model, video, tag = rows.model(), rows.video(), rows.tag("zebra")
    rows.suggest(video, model, tag, score=0.25, distance=0.75, evidence={"second": 3})
    rows.say(video, tag, "accept")
    with database.read() as connection:
        (one,) = shown_tags(connection, [video], model, evidence=True)[video]
    assert (one.score, one.distance, one.evidence) == (0.25, 0.75, {"second": 3})


@pytest.mark.parametrize(
    ("closed", "left"), [("reject", []), ("bar", []), ("retire", []), ("mute", []), ("quarantine", [])]
)
def test_a_suggestion_that_something_speaks_against_is_not_shown(
    rows, texts_of, database, closed, left
) -> None:
    model, video, tag = rows.model(), rows.video(), rows.tag("fox")
    rows.suggest(video, model, tag)
    assert texts_of(video, model) == [("fox", "model")]
    if closed == "reject":
        rows.say(video, tag, "reject")
    elif closed == "bar":
        rows.bar(video, tag)
    else:
        values = {"retire": {"state": "retired"}, "quarantine": {"state": "quarantined"}}
        with database.write() as connection:
            connection.execute(update(schema.tags).values(values.get(closed, {"suggestable": False})))
    assert texts_of(video, model) == left


def test_a_persons_tag_is_shown_though_models_may_not_suggest_it(rows, texts_of) -> None:
    video, tag = rows.video(), rows.tag("fox", suggestable=False)
    rows.bar(video, tag)
    rows.say(video, tag, "add")
    assert texts_of(video, None) == [("fox", "person")]


def test_a_retired_tag_of_a_person_is_hidden_and_comes_back(rows, texts_of, database) -> None:
    video, tag = rows.video(), rows.tag("fox")
    rows.say(video, tag, "add")
    with database.write() as connection:
        connection.execute(update(schema.tags).values(state="retired"))
    assert texts_of(video, None) == []
    with database.read() as connection:
        assert [(one.verdict, one.state) for one in said_tags(connection, [video])[video]] == [
            ("add", "retired")
        ]
    with database.write() as connection:
        connection.execute(update(schema.tags).values(state="active"))
    assert texts_of(video, None) == [("fox", "person")]


def test_merged_tags_are_one_with_the_better_score(rows, database) -> None:
    model, video, root = rows.model(), rows.video(), rows.tag("auto")
    merged = rows.tag("car", into=root)
    rows.suggest(video, model, root, score=0.4, rank=2)
    rows.suggest(video, model, merged, score=0.6, rank=1)
    with database.read() as connection:
        (one,) = shown_tags(connection, [video], model)[video]
    assert (one.tag, one.tag_id, one.score) == ("auto", root, 0.6)


def test_the_last_word_on_any_of_merged_tags_counts(rows, texts_of) -> None:
    model, video, root = rows.model(), rows.video(), rows.tag("auto")
    merged = rows.tag("car", into=root)
    rows.suggest(video, model, root)
    rows.say(video, root, "accept")
    rows.say(video, merged, "reject")
    assert texts_of(video, model) == []
    second = rows.video()
    rows.say(second, merged, "reject")
    rows.say(second, root, "add")
    assert texts_of(second, model) == [("auto", "person")]


def test_the_tags_of_many_videos_take_three_questions(rows, database) -> None:
    model, tag = rows.model(), rows.tag("fox")
    videos = [rows.video() for _ in range(40)]
    for video in videos:
        rows.suggest(video, model, tag)
    asked: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    with database.read() as connection:
        assert len(shown_tags(connection, videos, model)) == 40
    assert len([one for one in asked if one.startswith("SELECT")]) == 3


def test_a_tag_is_found_by_name_alias_spelling_and_number(rows, database) -> None:
    root = rows.tag("Solar eclipse", "Sonnenfinsternis")
    merged = rows.tag("eclipse of the sun", into=root)
    with database.read() as connection:
        for name in (
            "solar  ECLIPSE",
            "sonnenfinsternis",
            "Eclipse of the Sun",
            f"#{root}",
            f"#{merged}",
            merged,
        ):
            found = members_of(connection, name)
            assert (found.tag_id, found.text, found.ids) == (root, "Solar eclipse", (root, merged))
        for name in ("moon", "#99", 99, "", "a\0b"):
            with pytest.raises(NotFoundError):
                members_of(connection, name)
