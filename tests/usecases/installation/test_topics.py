"""Hot topics from a real server: what bursts becomes a tag, cools, and goes; what is hostile harms nothing."""

from __future__ import annotations

import json
import time
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from tagtower.errors import ConflictError, UsageError
from tagtower.library import feeds as feed_rows
from tagtower.library import schema
from tagtower.library.curation.history import list_changes
from tagtower.library.curation.reading import TagFilter, every_tag, find
from tagtower.usecases.installation import curate, topics
from tagtower.usecases.installation.curate import Editing

MARIA = Editing("maria")
ORDINARY = [
    "Council meets about the budget of the town", "Rain is expected in the north", "Prices for bread are rising",
    "A new library opens in the old mill", "Football club loses at home again", "The mayor speaks to the school",
    "Trains are late because of snow", "Police look for a stolen bicycle", "The market moves to the square",
    "Farmers fear for the harvest",
]  # fmt: skip
ECLIPSE = [
    "Total solar eclipse seen by thousands", "Where to see the total solar eclipse",
    "Total solar eclipse: the pictures", "Why a total solar eclipse is so rare",
    "Schools close for total solar eclipse",
]  # fmt: skip


def publish(server, headlines, path="/feed.json"):
    items = [{"id": headline, "title": headline} for headline in headlines]
    return server.give(path, json.dumps({"items": items}).encode(), Content_Type="application/feed+json")


@pytest.fixture
def feed(installation, server, clock):
    """A feed with a past of ordinary headlines, a day old."""
    added = topics.add_feed(installation, publish(server, ORDINARY), allow_private=True)
    assert poll(installation).new_tags == ()
    clock.move(hours=25)
    return added


def poll(installation, similar=None):
    (outcome,) = topics.poll_due(installation, similar)
    return outcome


def every(installation, **wanted):
    with installation.database.read() as connection:
        return list(every_tag(connection, TagFilter(**wanted)))


def tag(installation, reference):
    with installation.database.read() as connection:
        return find(connection, reference)


# --- what becomes a tag ------------------------------------------------------------------------------------------


def test_what_is_suddenly_in_many_headlines_becomes_a_quarantined_tag(installation, server, feed, clock):
    publish(server, ECLIPSE + ORDINARY)
    outcome = poll(installation)
    assert outcome.error is None
    assert outcome.entries == 5
    assert [text.lower() for text in outcome.new_tags] == ["total solar eclipse"]
    found = tag(installation, "total solar eclipse")
    assert (found.state, found.origin, found.language) == ("quarantined", f"feed:{feed.id}", "en")
    assert found.expires_at == clock.now + feed.keep
    assert [hot.tag.id for hot in topics.hot_tags(installation)] == [found.id]
    with installation.database.read() as connection:
        change = list_changes(connection)[0]
    assert (change.version, change.author, change.kind) == (outcome.version, f"feed:{feed.id}", "topics")


def test_no_headline_becomes_a_tag_whole(installation, server, feed):
    publish(server, [f"{headline} tonight" for headline in ECLIPSE for _ in range(3)])
    poll(installation)
    assert not {headline.lower() for headline in ECLIPSE} & {one.text.lower() for one in every(installation)}


def test_what_was_said_before_is_no_topic_because_it_is_said_again(installation, server, feed):
    publish(server, ORDINARY[:5])
    assert poll(installation).entries == 0
    publish(server, [f"{headline}, again" for headline in ORDINARY[:1]])
    assert poll_at_once(installation).new_tags == ()


def poll_at_once(installation, similar=None):
    return topics.poll_feed(installation, "1", similar)


def test_a_feed_that_is_trusted_brings_active_tags_and_asks_for_sweeps(installation, archive, server, clock):
    url = publish(server, ORDINARY)
    topics.add_feed(installation, url, allow_private=True, policy="approve")
    poll(installation)
    clock.move(hours=25)
    publish(server, ECLIPSE)
    poll(installation)
    found = tag(installation, "total solar eclipse")
    assert found.state == "active"
    with installation.database.read() as connection:
        assert connection.scalars(select(schema.sweeps.c.tag_id)).all() == [found.id]


@pytest.mark.parametrize(
    "known", ["Total Solar Eclipse", "total solar eclipses", "total-solar eclipse", "TotalSolarEclipse"]
)
def test_a_phrase_that_is_a_tag_already_heats_that_tag(installation, server, feed, known):
    curate.add(installation, MARIA, "sun hides", aliases=[known])
    if known == "total-solar eclipse":
        publish(server, [headline.replace("otal solar", "otal-solar") for headline in ECLIPSE])
    else:
        publish(server, ECLIPSE)
    outcome = poll(installation)
    assert (outcome.new_tags, outcome.heated, outcome.version) == ((), ("sun hides",), None)
    assert topics.hot_tags(installation)[0].heat == 5
    assert len(every(installation)) == 1


def test_a_phrase_that_means_the_same_as_a_tag_heats_that_tag(installation, server, feed):
    made = curate.add(installation, MARIA, "sun hides").tag
    asked = []

    def similar(phrases):
        asked.append(list(phrases))
        return [made.id for _ in phrases]

    publish(server, ECLIPSE)
    outcome = poll(installation, similar)
    assert [[text.lower() for text in one] for one in asked] == [["total solar eclipse"]]
    assert (outcome.new_tags, outcome.heated) == ((), ("sun hides",))


def test_one_poll_brings_so_many_new_tags_at_most(installation, server, feed):
    flood = [
        f"Word{a}{b} Zone{a} shines" for a in "abcdefghijklmnopqrstuvwxyz" for b in "xyz" for _ in range(2)
    ]
    items = [{"id": str(place), "title": headline} for place, headline in enumerate(flood)]
    server.give("/feed.json", json.dumps(items).encode())
    assert len(poll(installation).new_tags) == installation.settings.topics.most_new


# --- cooling -----------------------------------------------------------------------------------------------------


def test_heat_halves_in_every_half_life(installation, server, feed, clock):
    publish(server, ECLIPSE)
    poll(installation)
    hot = topics.hot_tags(installation)[0].heat
    clock.move(hours=installation.settings.topics.half_life_hours)
    assert topics.hot_tags(installation)[0].heat == pytest.approx(hot / 2)


def test_a_topic_that_has_cooled_retires_by_itself_as_one_change_of_its_feed(
    installation, server, feed, clock
):
    publish(server, ECLIPSE)
    poll(installation)
    clock.move(days=3)
    poll(installation)
    assert tag(installation, "total solar eclipse").state == "retired"
    with installation.database.read() as connection:
        change = list_changes(connection)[0]
    assert (change.kind, change.author) == ("retire", f"feed:{feed.id}")
    assert topics.retire_cooled(installation) == []


def test_a_topic_that_stays_hot_lives_longer(installation, server, feed, clock):
    publish(server, ECLIPSE)
    poll(installation)
    clock.move(hours=30)
    publish(server, [f"{headline}, day two" for headline in ECLIPSE])
    poll(installation)
    assert tag(installation, "total solar eclipse").expires_at == clock.now + feed.keep


def test_a_topic_that_a_feed_retired_comes_back_and_one_that_a_person_retired_does_not(
    installation, server, feed, clock
):
    publish(server, ECLIPSE)
    poll(installation)
    clock.move(days=3)
    publish(server, [f"{headline}, once more" for headline in ECLIPSE])
    poll(installation)
    assert tag(installation, "total solar eclipse").state == "quarantined"
    curate.retire(installation, MARIA, ["total solar eclipse"])
    clock.move(days=3)
    publish(server, [f"{headline}, for the third time" for headline in ECLIPSE])
    poll(installation)
    assert tag(installation, "total solar eclipse").state == "retired"


def test_a_persons_tag_is_neither_prolonged_nor_retired_by_a_feed(installation, server, feed, clock):
    until = clock.now + timedelta(days=1)
    curate.add(installation, MARIA, "total solar eclipse", expires=until)
    publish(server, ECLIPSE)
    poll(installation)
    clock.move(days=3)
    topics.retire_cooled(installation)
    found = tag(installation, "total solar eclipse")
    assert (found.state, found.expires_at) == ("active", until)


def test_what_a_feed_brought_is_undone_as_any_change(installation, server, feed):
    publish(server, ECLIPSE)
    outcome = poll(installation)
    curate.undo(installation, MARIA, outcome.version)
    assert every(installation) == []


# --- polling -----------------------------------------------------------------------------------------------------


def test_a_feed_is_polled_when_it_is_due_and_asked_only_for_what_is_new(installation, server, clock):
    url = server.give("/feed.json", b'["One headline"]', ETag='"1"')
    topics.add_feed(installation, url, allow_private=True)
    poll(installation)
    assert topics.poll_due(installation) == []
    clock.move(minutes=15)
    server.give("/feed.json", status=304)
    assert poll(installation).error is None
    assert server.asked[-1][1]["If-None-Match"] == '"1"'


def test_two_workers_never_poll_one_feed_at_once(installation, server, feed):
    with installation.database.write() as connection:
        feed_rows.lease_due(connection, installation.clock(), timedelta(minutes=5), limit=1)
    before = len(server.asked)
    assert topics.poll_due(installation) == []
    with pytest.raises(ConflictError):
        topics.poll_feed(installation, str(feed.id))
    assert len(server.asked) == before


def test_a_worker_that_lost_its_lease_keeps_nothing(installation, server, feed, clock):
    def answer(handler):
        clock.move(hours=1)  # so long that another worker takes over
        with installation.database.write() as connection:
            assert feed_rows.lease_due(connection, clock.now, timedelta(minutes=5), limit=1)
        body = json.dumps(ECLIPSE).encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    server.do("/feed.json", answer)
    assert poll(installation).lost
    assert every(installation) == []
    with installation.database.read() as connection:
        known = connection.scalar(select(func.count()).select_from(schema.feed_entries))
    assert known == len(ORDINARY)


def test_a_feed_that_is_removed_while_it_is_polled_keeps_nothing(installation, server, feed):
    def answer(handler):
        topics.remove_feed(installation, str(feed.id))
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(json.dumps(ECLIPSE).encode())

    server.do("/feed.json", answer)
    assert poll(installation).lost
    assert every(installation) == []


def test_the_past_of_a_feed_stays_small(installation, server, feed, clock):
    for day in range(40):
        publish(server, [f"{headline} Number{day}x{place}" for place, headline in enumerate(ORDINARY)])
        clock.move(hours=25)
        poll(installation)
    with installation.database.read() as connection:
        rows = connection.scalar(select(func.count()).select_from(schema.feed_phrases))
        hours = connection.scalars(select(schema.feed_phrases.c.hour).distinct()).all()
        entries = connection.scalar(select(func.count()).select_from(schema.feed_entries))
    assert len(hours) <= 31
    assert rows < 3000
    assert entries <= 10 * 31


# --- dead and hostile --------------------------------------------------------------------------------------------


def endless(handler):
    handler.send_response(200)
    handler.send_header("Content-Type", "application/rss+xml")
    handler.end_headers()
    handler.wfile.write(b"<rss><channel>")
    number = 0
    while True:
        number += 1
        handler.wfile.write(b"<item><title>Headline %d</title></item>" % number * 50)


def test_an_endless_feed_is_cut_and_what_came_is_read(installation, server):
    topics.add_feed(installation, server.do("/feed", endless), allow_private=True)
    outcome = poll(installation)
    assert outcome.error is None
    assert "only its first" in outcome.remark
    assert outcome.entries == installation.settings.topics.max_entries // 50  # each comes fifty times
    assert topics.list_feeds(installation)[0].error == outcome.remark


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<!DOCTYPE html><html>" + b"<div>" * 100_000, "web page"),
        (b"\x89PNG\r\n\x1a\n" + bytes(1000), "neither"),
        (b"{" * 100_000, "JSON"),
        (b"", "neither"),
        (b"[" + b"1," * 100_000 + b"1]", "no headlines"),
    ],
    ids=["html", "png", "braces", "empty", "numbers"],
)
def test_what_is_no_feed_is_shown_with_its_error_and_asked_less_often(
    installation, server, clock, body, said
):
    topics.add_feed(installation, server.give("/feed", body), allow_private=True)
    outcome = poll(installation)
    assert said in outcome.error
    shown = topics.list_feeds(installation)[0]
    assert (shown.error, shown.failures) == (outcome.error, 1)
    assert shown.next_at == clock.now + 2 * shown.every
    assert every(installation) == []


def test_a_dead_server_is_an_error_and_a_server_that_recovers_is_none(installation, server, clock):
    url = server.give("/feed", b"down", status=503)
    topics.add_feed(installation, url, allow_private=True)
    assert "503" in poll(installation).error
    clock.move(hours=1)
    server.give("/feed", b'["One headline"]')
    assert poll(installation).error is None
    assert (topics.list_feeds(installation)[0].error, topics.list_feeds(installation)[0].failures) == (
        None,
        0,
    )


def test_a_server_that_never_answers_is_given_up(installation, server):
    settings = installation.settings.topics.model_copy(update={"deadline_seconds": 0.5})
    quick = type(installation)(
        installation.home, installation.id, installation.settings.model_copy(update={"topics": settings}),
        installation.database, installation.media, installation.clock,
    )  # fmt: skip
    topics.add_feed(quick, server.do("/feed", lambda handler: time.sleep(3)), allow_private=True)
    assert "longer than 0.5 s" in poll(quick).error


def test_a_private_address_is_not_polled_unless_a_person_allowed_it(installation, server):
    topics.add_feed(installation, publish(server, ORDINARY))
    assert "address of this machine" in poll(installation).error
    assert server.asked == []


def test_a_feed_may_be_a_file_of_this_machine_in_any_format(installation, clock, tmp_path):
    path = tmp_path / "headlines.csv"
    path.write_text("title\n" + "\n".join(ORDINARY), encoding="utf-8")
    topics.add_feed(installation, str(path))
    assert poll(installation).entries == 10
    clock.move(hours=25)
    assert poll(installation).entries == 0
    path.write_text("title\n" + "\n".join(ECLIPSE), encoding="utf-8")
    clock.move(hours=25)
    assert len(poll(installation).new_tags) == 1


@pytest.mark.parametrize(
    "url", ["nowhere.csv", "ftp://example.com/x", "http://u:p@example.com/", "https://", "file://other/x"]
)
def test_what_can_never_be_polled_is_refused_when_it_is_added(installation, url):
    if url == "file://other/x":
        topics.add_feed(installation, url)
        assert "another machine" in poll(installation).error
        return
    with pytest.raises(UsageError):
        topics.add_feed(installation, url)


def test_a_feed_that_was_cut_where_it_cannot_be_is_told_so(installation, server, feed):
    publish(server, ["A" * 10_000_000])
    assert "5,242,880 bytes" in poll(installation).error


def test_titles_of_megabytes_and_of_control_characters_make_no_strange_tags(installation, server, feed):
    strange = ["Nasty\u0000Thing \u001b[31mred", "A" * 400_000, "\u202eevil\u202c", "🦖" * 1000]
    publish(server, [f"{text} {number}" for text in strange for number in range(4)])
    assert poll(installation).entries > 3
    assert every(installation)
    for one in every(installation):
        assert one.text.isprintable()
        assert len(one.text) <= 60
