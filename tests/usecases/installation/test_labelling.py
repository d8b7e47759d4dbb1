"""A model with a ranker on the labelled shelf: judged videos are neighbours at once, thresholds hold."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import select

from tagtower.library import schema
from tagtower.library.models import active_model
from tagtower.library.snapshot import TagSource
from tagtower.library.vectors import vector_store
from tagtower.library.verdicts import give_verdict, withdraw_verdict
from tagtower.library.videos.shown import members_of
from tagtower.records import Example, Video
from tagtower.usecases.installation import curate, models
from tagtower.usecases.installation.curate import Editing
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.intake import PutSettings, put_videos
from tagtower.usecases.installation.labelling import Labeller, NotSeen, Seen, open_labeller
from tagtower.usecases.installation.neighbours import ShelfNeighbours
from tagtower.usecases.installation.worker import run_worker
from tagtower.usecases.train import train

KINDS = ("walk", "song", "game", "soup", "cat")
PLACES = ("park", "sea", "town", "wood")
MARIA = Editing("maria")


@pytest.fixture(scope="module")
def hybrid(job, tmp_path_factory) -> Path:
    """A model of titles with a ranker; each title names a kind and a place, which are its tags."""
    folder = tmp_path_factory.mktemp("hybrid")
    rows = [
        {
            "id": f"v{number}",
            "title": f"a {KINDS[number % 5]} in the {PLACES[number * 7 % 4]} number {number % 11}",
            "tags": [KINDS[number % 5], PLACES[number * 7 % 4], f"best of {KINDS[number % 5]}"],
            "split": "train" if number < 80 else "val" if number < 100 else "test",
            "published": f"2024-{number // 28 + 1:02}-{number % 28 + 1:02}",
        }
        for number in range(120)
    ]
    (folder / "words.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "words.txt").write_text("\n".join((*KINDS, *PLACES, *(f"best of {kind}" for kind in KINDS))))
    settings = job.settings(
        "image.encoder=none", "audio.frontend=none", "ranking.kind=hybrid", "ranking.trees=20"
    )
    train(folder / "words.jsonl", folder / "words.txt", folder / "model", settings, bypass_store=True)
    return folder / "model"


@pytest.fixture
def home(installation, hybrid) -> Installation:
    models.add(installation, hybrid, "hybrid")
    for text in (*KINDS, *PLACES, "zither", "new topic"):
        curate.add(installation, MARIA, text)
    return installation


@pytest.fixture
def labeller(home):
    with ExitStack() as stack:
        with home.database.read() as connection:
            model = active_model(connection)
        yield stack.enter_context(
            open_labeller(
                home,
                model,
                tags=TagSource(home.database),
                vectors=vector_store(home.database, home.vectors),
                threads=1,
            )
        )


def hand_in(installation: Installation, *titles: str) -> list[int]:
    examples = [Example(Video(title, None, title)) for title in titles]
    return [one.video_id for one in put_videos(installation, examples, PutSettings())]


def label(installation: Installation, *titles: str) -> list[int]:
    ids = hand_in(installation, *titles)
    assert run_worker(installation, once=True, threads=1).labelled == len(titles)
    return ids


def say(installation: Installation, video: int, tag: str, verdict: str) -> None:
    installation.clock.move(seconds=1)
    with installation.database.write() as connection:
        members = members_of(connection, tag)
        if verdict == "withdraw":
            withdraw_verdict(connection, video, members)
        else:
            give_verdict(connection, video, members, verdict, author="maria", at=installation.clock())


def look(labeller: Labeller, installation: Installation, *ids: int) -> list[Seen | NotSeen]:
    with installation.database.read() as connection:
        rows = connection.execute(select(schema.videos).where(schema.videos.c.id.in_(ids))).all()
    return list(labeller.see(rows))


def ranked(labeller: Labeller, installation: Installation, video: int) -> list[str]:
    (answer,) = labeller.answer(look(labeller, installation, video))
    return [tag.tag for tag in answer.tags]


def neighbours_of(labeller: Labeller, installation: Installation, video: int, tag: str) -> list[dict]:
    (answer,) = labeller.answer(look(labeller, installation, video))
    (place,) = [place for place, one in enumerate(answer.tags) if one.tag == tag]
    return answer.suggested[place].evidence["neighbours"]


def test_a_judged_video_is_a_neighbour_of_the_next(home, labeller):
    first, second = label(home, "a strange evening outside", "a strange evening again")
    assert neighbours_of(labeller, home, second, "zither") == []
    say(home, first, "zither", "add")
    labeller._rebuild_at = 0.0  # that is, later
    (one,) = neighbours_of(labeller, home, second, "zither")
    assert (one["id"], one["video"]) == (f"video:{first}", first)
    assert one["weight"] > 0


def test_what_nobody_judged_is_no_neighbour(home, labeller):
    _, second = label(home, "a strange evening outside", "a strange evening again")
    snapshot = labeller.prepare()
    assert labeller._neighbours.current(snapshot) is None
    say(home, second, "zither", "reject")
    assert labeller._neighbours.current(snapshot) is None


def test_a_labelled_video_is_not_its_own_neighbour(home, labeller):
    (first,) = label(home, "a strange evening outside")
    say(home, first, "zither", "add")
    assert neighbours_of(labeller, home, first, "zither") == []


def shelf(home: Installation, model_ids=()) -> ShelfNeighbours:
    vectors = vector_store(home.database, home.vectors)
    return ShelfNeighbours(home.database, vectors, 1, 16, ("title",), model_ids)


def tags_of(found) -> dict[str, set[str]]:
    """The tags of each neighbour that are in the library."""
    if found is None:
        return {}
    rows = found.tags.toarray()
    return {
        name: {text for text, has in zip(found.tag_texts, row, strict=True) if has and text[0] != "\0"}
        for name, row in zip(found.ids, rows, strict=True)
    }


def test_neighbours_follow_every_word_and_every_change_of_the_tags(home, monkeypatch):
    first, second = label(home, "a walk", "a song")
    source, kept = TagSource(home.database), shelf(home)

    def now() -> dict[str, set[str]]:
        found = tags_of(kept.current(source.current(home.clock())))
        assert found == tags_of(shelf(home).current(source.current(home.clock())))  # as one that begins anew
        return found

    one, two = f"video:{first}", f"video:{second}"
    assert now() == {}
    say(home, first, "zither", "add")
    say(home, first, "park", "add")
    say(home, first, "sea", "reject")
    assert now() == {one: {"zither", "park"}}
    say(home, second, "song", "accept")
    assert now() == {one: {"zither", "park"}, two: {"song"}}
    say(home, first, "park", "reject")
    assert now() == {one: {"zither"}, two: {"song"}}
    curate.rename(home, MARIA, "zither", "cithara")
    assert now() == {one: {"cithara"}, two: {"song"}}
    merged = curate.merge(home, MARIA, ["cithara"], "wood")
    assert now() == {one: {"wood"}, two: {"song"}}
    curate.undo(home, MARIA, merged.version)
    assert now() == {one: {"cithara"}, two: {"song"}}
    curate.retire(home, MARIA, ["song"])
    assert now() == {one: {"cithara"}, two: set()}
    monkeypatch.setattr(kept, "_whole_look_at", 0.0)  # withdrawn words are missed at the next whole look
    say(home, first, "cithara", "withdraw")
    assert now() == {two: set()}
    with home.database.write() as connection:
        connection.execute(schema.videos.delete().where(schema.videos.c.id == second))
    monkeypatch.setattr(kept, "_whole_look_at", 0.0)
    assert now() == {}


def test_neighbours_that_did_not_change_are_the_same_object(home):
    (first,) = label(home, "a walk")
    say(home, first, "zither", "add")
    kept, source = shelf(home), TagSource(home.database)
    before = kept.current(source.current(home.clock()))
    curate.add(home, MARIA, "something else")
    assert kept.current(source.current(home.clock())) is before
    say(home, first, "park", "reject")
    assert kept.current(source.current(home.clock())) is before


def test_a_word_on_a_video_that_is_labelled_later_is_not_forgotten(home):
    (first,) = hand_in(home, "a walk")
    say(home, first, "zither", "add")
    kept, source = shelf(home), TagSource(home.database)
    assert kept.current(source.current(home.clock())) is None
    assert run_worker(home, once=True, threads=1).labelled == 1
    assert tags_of(kept.current(source.current(home.clock()))) == {f"video:{first}": {"zither"}}


def test_a_video_of_the_models_training_is_one_neighbour_and_not_two(home):
    label(home, "a walk")
    (put,) = put_videos(home, [Example(Video("v7", None, "a cat in the park"))], PutSettings())
    assert run_worker(home, once=True, threads=1).labelled == 1
    say(home, put.video_id, "zither", "add")
    found = shelf(home, ("v7", "v8")).current(TagSource(home.database).current(home.clock()))
    assert found.ids == ("v7",)


def test_a_threshold_of_a_person_holds_back_what_is_less_probable(home, labeller):
    (video,) = label(home, "a cat in the park")
    (answer,) = labeller.answer(look(labeller, home, video))
    assert labeller.session.orders.ranking.calibrations, "the model has a calibration"
    scores = {tag.tag: tag.score for tag in answer.tags}
    shown = answer.tags[0].tag
    curate.set_threshold(home, MARIA, shown, min(1.0, scores[shown] + 0.01))
    assert shown not in ranked(labeller, home, video)
    curate.set_threshold(home, MARIA, shown, max(0.0, scores[shown] - 0.01))
    assert ranked(labeller, home, video)[0] == shown


def test_an_answer_says_which_library_it_is_of(home, labeller):
    (video,) = label(home, "a cat in the park")
    version = curate.add(home, MARIA, "one more").version
    (answer,) = labeller.answer(look(labeller, home, video))
    assert answer.library_version == version
    assert "one more" in [tag.tag for tag in answer.tags]
    assert len(answer.suggested) == len(answer.tags) == len(KINDS) + len(PLACES) + 3
