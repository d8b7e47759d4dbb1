"""Every search finds what walking through all videos and asking each would find, newest first."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from tagtower.library.videos import find, streams
from tagtower.library.videos.find import Filter, count_ids, find_ids
from tagtower.library.videos.shown import members_of, shown_tags
from tagtower.library.videos.words import asked_words, search_words

WORDS = ["alpha", "beta", "gamma", "delta", "épsilon", "zeta"]


def fill(rows, seed: int, videos: int = 60):
    """A random library: tags in every state, merged ones, suggestions, words of persons, bars, owners, shelves."""
    chance = random.Random(seed)
    model, old = rows.model(), rows.model("retired", "old")
    tags = [rows.tag(f"t{number}") for number in range(6)]
    tags.append(rows.tag("retired", state="retired"))
    tags.append(rows.tag("mute", suggestable=False))
    tags += [rows.tag(f"merged{place}", into=tags[root]) for place, root in enumerate((0, 0, 1, 6))]
    made = []
    for _ in range(videos):
        title = " ".join(chance.sample(WORDS, chance.randrange(3))) or None
        video = rows.video(
            title,
            owner=chance.choice([None, "ann", "bob"]),
            shelf=chance.choice(["labelled", "unlabelled", "failed"]),
            description=chance.choice([None, "alphabet soup", "BETA test"]),
        )
        made.append(video)
        for tag in chance.sample(tags, chance.randrange(5)):
            for one in (model, old):
                if chance.random() < 0.6:
                    rows.suggest(video, one, tag, score=chance.random())
        for tag in chance.sample(tags, chance.randrange(4)):
            rows.say(video, tag, chance.choice(["accept", "reject", "add"]))
        for tag in chance.sample(tags, chance.randrange(2)):
            rows.bar(video, tag)
    return model, tags, made


def slowly(connection, wanted: Filter, model, facts) -> list[int]:
    """What there is, by asking every video."""
    shown = shown_tags(connection, list(facts), model)
    kept = []
    for video, row in facts.items():
        has = {one.tag_id for one in shown.get(video, ())}
        words = search_words(row.title, row.description, row.subtitles)
        if not all(tag.tag_id in has for tag in wanted.tags):
            continue
        if not all(
            any(word.startswith(one.word) if one.prefix else word == one.word for word in words)
            for one in wanted.words
        ):
            continue
        if wanted.owner is not None and wanted.owner not in row.owners:
            continue
        if wanted.shelf is not None and row.shelf != wanted.shelf:
            continue
        if wanted.since is not None and row.added_at < wanted.since:
            continue
        if wanted.until is not None and row.added_at >= wanted.until:
            continue
        if wanted.reviewed is not None and row.reviewed != wanted.reviewed:
            continue
        kept.append(video)
    return sorted(kept, reverse=True)


class Fact:
    def __init__(self, row, owners, reviewed) -> None:
        self.__dict__.update(row._mapping)
        self.owners, self.reviewed = owners, reviewed


def facts_of(connection):
    from sqlalchemy import select

    from tagtower.library import schema

    owners: dict[int, set[str]] = {}
    for video, owner in connection.execute(
        select(schema.video_references.c.video_id, schema.video_references.c.owner)
    ):
        owners.setdefault(video, set()).add(owner)
    said = set(connection.scalars(select(schema.verdicts.c.video_id)))
    return {
        row.id: Fact(row, owners.get(row.id, set()), row.id in said)
        for row in connection.execute(select(schema.videos))
    }


@pytest.mark.parametrize(("seed", "many"), [(0, 50), (1, 0)])
def test_every_filter_finds_what_asking_every_video_finds(rows, database, seed, many, monkeypatch) -> None:
    monkeypatch.setattr(streams, "MANY_MEMBERS", many)
    monkeypatch.setattr(find, "FIRST_RANGE", 7)
    monkeypatch.setattr(find, "ENOUGH", 4)
    monkeypatch.setattr(find, "SPAN", 10)
    model, tags, _ = fill(rows, seed)
    chance = random.Random(seed)
    with database.read() as connection:
        facts = facts_of(connection)
        moments = sorted(row.added_at for row in facts.values())
        members = [members_of(connection, tag) for tag in tags]
        met = 0
        for _ in range(40):
            wanted = Filter(
                tags=tuple(chance.sample(members, chance.choice([0, 0, 1, 1, 2]))),
                words=chance.choice(
                    [(), (), asked_words("alpha"), asked_words("alph*"), asked_words("beta EPSILON")]
                ),
                owner=chance.choice([None, None, "ann"]),
                shelf=chance.choice([None, None, "labelled", "failed"]),
                since=chance.choice([None, None, chance.choice(moments)]),
                until=chance.choice([None, None, chance.choice(moments)]),
                reviewed=chance.choice([None, None, True, False]),
            )
            used = chance.choice([model, model, None])
            expected = slowly(connection, wanted, used, facts)
            assert find_ids(connection, wanted, used, limit=1000) == expected, wanted
            assert count_ids(connection, wanted, used, most=3) == min(3, len(expected))
            below = chance.choice(list(facts))
            page = find_ids(connection, wanted, used, below=below, limit=5)
            assert page == [one for one in expected if one < below][:5]
            met += bool(expected)
        assert met > 8


def test_the_order_is_that_of_arrival_whatever_the_clock_said(rows, database) -> None:
    first = rows.video("a")
    second = rows.video("a", added_at=rows.moment() - timedelta(days=1000))
    with database.read() as connection:
        assert find_ids(connection, Filter(), None) == [second, first]
        assert find_ids(connection, Filter(words=asked_words("a")), None) == [second, first]


def test_a_time_is_found_though_the_clock_was_set_back(rows, database) -> None:
    late = rows.video("a")
    early = rows.video("a", added_at=rows.moment() - timedelta(days=1000))
    with database.read() as connection:
        until = rows.moment() - timedelta(days=999)
        assert find_ids(connection, Filter(until=until), None) == [early]
        assert find_ids(connection, Filter(since=until), None) == [late]


@pytest.mark.parametrize(
    "search",
    [
        "'",
        '"',
        "a* OR b",
        "NEAR(a b)",
        "words:a",
        "a:*",
        "-a",
        "^a",
        "(",
        "a'); DROP TABLE videos; --",
        "\\",
        "%",
        "a & b | !c",
    ],
)
def test_nothing_in_a_search_is_syntax(rows, database, search) -> None:
    from tagtower.errors import UsageError

    video = rows.video(search + " a b c or near words drop table videos")
    with database.read() as connection:
        try:
            asked = asked_words(search)
        except UsageError:
            return
        assert find_ids(connection, Filter(words=asked), None) == [video]


@pytest.mark.parametrize(
    ("title", "search"),
    [
        ("Crème Brûlée", "creme brulee"),
        ("CREME", "crème"),
        ("Straße", "STRASSE"),
        ("日本語の動画", "日本"),
        ("Жёлтый", "желтый"),
        ("ﬁne ①", "fine 1"),
        ("वीडियो", "वीडियो"),
        ("rock'n'roll", "rock'n'roll"),
        ("Ａｂｃ", "abc"),
        ("naïve café", "NAIVE caf*"),
    ],
)
def test_case_and_diacritics_do_not_matter(rows, database, title, search) -> None:
    video = rows.video(title)
    rows.video("another one entirely")
    with database.read() as connection:
        assert find_ids(connection, Filter(words=asked_words(search)), None) == [video]


def test_words_of_description_and_subtitles_are_found(rows, database) -> None:
    one = rows.video("title", description="a description")
    two = rows.video(None, subtitles="spoken words")
    with database.read() as connection:
        assert find_ids(connection, Filter(words=asked_words("descr*")), None) == [one]
        assert find_ids(connection, Filter(words=asked_words("spoken")), None) == [two]


def test_a_video_that_is_changed_or_deleted_is_found_no_more_by_its_old_words(rows, database) -> None:
    from sqlalchemy import delete, update

    from tagtower.library import schema
    from tagtower.library.videos.words import stored_words

    changed, deleted = rows.video("before"), rows.video("before")
    with database.write() as connection:
        words = stored_words(connection, ["after"])
        connection.execute(update(schema.videos).where(schema.videos.c.id == changed).values(words=words))
        connection.execute(delete(schema.videos).where(schema.videos.c.id == deleted))
    with database.read() as connection:
        assert find_ids(connection, Filter(words=asked_words("before")), None) == []
        assert find_ids(connection, Filter(words=asked_words("after")), None) == [changed]
