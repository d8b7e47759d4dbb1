"""Hot topics as a chore of the worker: feeds are polled beside its own work, and the model compares meanings."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from tagtower.library.curation.reading import TagFilter, every_tag
from tagtower.library.feeds import load_feed
from tagtower.library.models import active_model
from tagtower.library.snapshot import TagSource
from tagtower.library.vectors import vector_store
from tagtower.usecases.installation import curate, feeds, models
from tagtower.usecases.installation.chores import HotTopics, same_meaning
from tagtower.usecases.installation.curate import Editing
from tagtower.usecases.installation.labelling import open_labeller
from tagtower.usecases.installation.worker import run_worker

MARIA = Editing("maria")


@pytest.fixture
def home(sqlite_installation, trained):
    """An installation with a model and a tag."""
    models.add(sqlite_installation, trained, "first")
    curate.add(sqlite_installation, MARIA, "red")
    return sqlite_installation


def publish(server, phrase, path="/feed"):
    return server.give(path, json.dumps([f"{phrase} over town {n}" for n in "abcdefgh"]).encode())


def strict(home):
    """The installation, where only what has a tag's very vector means that tag: the small model sees all alike."""
    topics = home.settings.topics.model_copy(update={"near_tag": 1e-6})
    return replace(home, settings=home.settings.model_copy(update={"topics": topics}))


def texts(installation):
    with installation.database.read() as connection:
        return [tag.text for tag in every_tag(connection, TagFilter())]


def test_a_worker_polls_the_feeds_that_are_due(home, server):
    for name in ("/one", "/two"):
        feeds.add_feed(home, publish(server, f"Total eclipse number{name[1:]}", name), allow_private=True)
    done = []
    run_worker(
        strict(home), once=True, threads=1, chores=[HotTopics()],
        on_event=lambda event: done.append(event.facts) if event.kind == "chore" else None,
    )  # fmt: skip
    assert len(texts(home)) == 3
    assert {"name": "topics"} in done
    assert all(feed.polled_at is not None for feed in feeds.list_feeds(home))


def test_a_feed_that_is_slow_keeps_the_worker_from_its_work_a_moment_only(home, server):
    feeds.add_feed(home, server.do("/slow", lambda handler: time.sleep(3)), allow_private=True)
    chore = HotTopics()
    begun = time.monotonic()
    assert chore.run_once(home, None)
    assert chore.run_once(home, None)
    assert time.monotonic() - begun < 2
    chore.close()
    with home.database.read() as connection:
        assert load_feed(connection, 1).polled_at is None
    assert HotTopics().run_once(home, None)  # the feed was given back, and is due


def test_without_feeds_the_chore_finds_nothing_to_do(home):
    chore = HotTopics()
    assert not chore.run_once(home, None)
    assert not chore.run_once(home, None)


def test_a_phrase_near_a_tag_in_the_models_space_means_that_tag(home):
    with home.database.read() as connection:
        model = active_model(connection)
    vectors = vector_store(home.database, home.vectors)
    with open_labeller(home, model, tags=TagSource(home.database), vectors=vectors, threads=1) as labeller:
        similar = same_meaning(home, labeller)
        assert similar(["red", "RED"])[0] == 1
        assert same_meaning(strict(home), labeller)(["red", "a wholly other thing"]) == [1, None]
        curate.retire(home, MARIA, ["red"])
        assert similar(["red"]) == [None]
