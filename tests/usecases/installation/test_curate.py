"""The tag library as editors change it, on both engines: what each change does, refuses and reaches."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import func, insert, select

from tagtower.errors import ConflictError, NotFoundError, TagLibraryError
from tagtower.library import schema
from tagtower.library.curation.committing import library_version
from tagtower.library.curation.history import list_changes
from tagtower.library.curation.reading import TagFilter, every_tag, find, load_one
from tagtower.usecases.installation import curate
from tagtower.usecases.installation.curate import Editing

MARIA = Editing("maria")
TRY = Editing("maria", dry_run=True)


def tag(installation, reference):
    with installation.database.read() as connection:
        return find(connection, reference)


def version(installation) -> int:
    with installation.database.read() as connection:
        return library_version(connection)


def every(installation):
    with installation.database.read() as connection:
        found = list(every_tag(connection, TagFilter()))
        return found + list(every_tag(connection, TagFilter(state="merged")))


def swept(installation) -> set[int]:
    with installation.database.read() as connection:
        return set(connection.scalars(select(schema.sweeps.c.tag_id)))


def suggest(installation, archive, tag_id, *videos):
    with installation.database.write() as connection:
        for video in videos:
            connection.execute(
                insert(schema.suggestions).values(
                    video_id=archive.videos[video],
                    model_id=archive.model,
                    tag_id=tag_id,
                    rank=1,
                    distance=0.1,
                    origin="model",
                    library_version=1,
                    at=installation.clock(),
                )
            )


def judge(installation, archive, tag_id, video, verdict="accept"):
    with installation.database.write() as connection:
        connection.execute(
            insert(schema.verdicts).values(
                video_id=archive.videos[video],
                tag_id=tag_id,
                verdict=verdict,
                author="maria",
                at=installation.clock(),
            )
        )


# --- adding ------------------------------------------------------------------------------------------------------


def test_an_added_tag_is_found_by_its_text_in_any_spelling_by_its_aliases_and_by_its_number(installation):
    made = curate.add(installation, MARIA, "Solar  Eclipse", aliases=["eclipse of the Sun"], groups=["sky"])
    assert made.version == 1
    assert made.tag is not None
    assert made.tag.text == "Solar Eclipse"
    for reference in ("SOLAR eclipse", "Eclipse of the sun", f"#{made.tag.id}"):
        assert tag(installation, reference) == made.tag
    assert tag(installation, "solar eclipse").groups == ("sky",)


def test_a_change_has_its_author_and_time_and_its_number_is_the_version(installation, clock):
    curate.add(installation, MARIA, "car")
    clock.move(hours=1)
    curate.retire(installation, Editing("paul"), ["car"])
    with installation.database.read() as connection:
        last, first = list_changes(connection)
    assert (first.version, first.author, first.kind) == (1, "maria", "add")
    assert (last.version, last.author, last.kind, last.at) == (2, "paul", "retire", clock.now)
    assert version(installation) == 2


@pytest.mark.parametrize("name", ["", "  ", "bell\a", "x" * 501])
def test_a_text_that_can_be_no_tag_is_refused(installation, name):
    with pytest.raises(TagLibraryError):
        curate.add(installation, MARIA, name)
    assert version(installation) == 0


@pytest.mark.parametrize(
    "fields", [{"threshold": 1.5}, {"threshold": float("nan")}, {"language": "no language"}, {"groups": [""]},
               {"description": "x" * 20_000}, {"description": "\0"}]
)  # fmt: skip
def test_what_cannot_be_said_of_a_tag_is_refused(installation, fields):
    with pytest.raises(TagLibraryError):
        curate.add(installation, MARIA, "car", **fields)


def test_a_name_that_another_tag_has_is_refused_naming_that_tag(installation):
    curate.add(installation, MARIA, "automobile", aliases=["car"])
    for attempt in (
        lambda: curate.add(installation, MARIA, "CAR"),
        lambda: curate.add(installation, MARIA, "vehicle", aliases=["Car"]),
        lambda: (curate.add(installation, MARIA, "van"), curate.rename(installation, MARIA, "van", "car")),
        lambda: curate.add_aliases(installation, MARIA, "van", ["car"]),
    ):
        with pytest.raises(ConflictError, match="belongs to the tag 'automobile'"):
            attempt()
    assert tag(installation, "van").names == ("van",)


def test_a_retired_tag_keeps_its_name_and_the_refusal_says_how_to_bring_it_back(installation):
    curate.add(installation, MARIA, "car")
    curate.retire(installation, MARIA, ["car"])
    with pytest.raises(ConflictError, match="which is retired") as refusal:
        curate.add(installation, MARIA, "car")
    assert "restore" in str(refusal.value)


# --- trying first ------------------------------------------------------------------------------------------------


def test_a_dry_run_says_what_would_change_on_how_many_videos_and_changes_nothing(installation, archive):
    car = curate.add(installation, MARIA, "car").tag
    suggest(installation, archive, car.id, 0, 1)
    judge(installation, archive, car.id, 1)
    judge(installation, archive, car.id, 2)
    outcome = curate.retire(installation, TRY, ["car"])
    assert outcome.version is None
    assert (outcome.reach.suggestions, outcome.reach.verdicts, outcome.reach.videos) == (2, 2, 3)
    assert outcome.edits[0].after.state == "retired"
    assert tag(installation, "car").state == "active"
    assert version(installation) == 1
    assert curate.retire(installation, MARIA, ["car"]).version == version(installation) > 1


@pytest.mark.parametrize(
    "change",
    [
        lambda i, by: curate.add(i, by, "new"),
        lambda i, by: curate.rename(i, by, "car", "auto"),
        lambda i, by: curate.merge(i, by, ["van"], "car"),
        lambda i, by: curate.split(i, by, "alias"),
        lambda i, by: curate.undo(i, by, 1),
        lambda i, by: curate.bar(i, by, "car", [1]),
    ],
)
def test_a_dry_run_says_what_the_change_then_does(installation, archive, change):
    curate.add(installation, MARIA, "car", aliases=["alias"])
    curate.add(installation, MARIA, "van")
    before = every(installation)
    tried = change(installation, TRY)
    assert every(installation) == before
    done = change(installation, MARIA)
    assert (tried.kind, tried.summary, tried.reach, tried.sweeps) == (
        done.kind, done.summary, done.reach, done.sweeps,
    )  # fmt: skip
    assert tried.version is None
    assert done.version == version(installation)


def test_what_changes_nothing_is_no_change(installation):
    curate.add(installation, MARIA, "car", aliases=["auto"])
    for outcome in (
        curate.rename(installation, MARIA, "car", "car"),
        curate.add_aliases(installation, MARIA, "car", ["Auto"]),
        curate.restore(installation, MARIA, ["car"]),
        curate.set_suggestable(installation, MARIA, "car", True),
    ):
        assert outcome.version is None
        assert outcome.edits == ()
    assert version(installation) == 1


# --- names -------------------------------------------------------------------------------------------------------


def test_a_renamed_tag_keeps_its_old_name_as_an_alias_unless_told_otherwise(installation):
    curate.add(installation, MARIA, "automobil", aliases=["car"])
    assert curate.rename(installation, MARIA, "automobil", "automobile").tag.aliases == ("automobil", "car")
    assert curate.rename(installation, MARIA, "car", "Car", keep_alias=False).tag.names == (
        "Car",
        "automobil",
    )
    with pytest.raises(NotFoundError):
        tag(installation, "automobile")


def test_a_tag_may_take_the_name_of_its_own_alias(installation):
    curate.add(installation, MARIA, "car", aliases=["auto"])
    assert curate.rename(installation, MARIA, "car", "auto").tag.names == ("auto", "car")


def test_only_the_spelling_of_a_name_may_change(installation):
    curate.add(installation, MARIA, "nasa")
    assert curate.rename(installation, MARIA, "nasa", "NASA").tag.names == ("NASA",)


def test_an_alias_is_removed_and_a_tags_own_text_is_not(installation):
    curate.add(installation, MARIA, "car", aliases=["auto", "wagon"])
    assert curate.remove_aliases(installation, MARIA, "car", ["AUTO"]).tag.aliases == ("wagon",)
    with pytest.raises(ConflictError, match="own text"):
        curate.remove_aliases(installation, MARIA, "wagon", ["car"])
    with pytest.raises(NotFoundError, match="no alias"):
        curate.remove_aliases(installation, MARIA, "car", ["auto"])


# --- merging and splitting ---------------------------------------------------------------------------------------


def test_a_merged_tag_leads_to_the_other_by_its_names_and_keeps_its_suggestions_and_verdicts(
    installation, archive
):
    car = curate.add(installation, MARIA, "car", aliases=["auto"]).tag
    big = curate.add(installation, MARIA, "automobile").tag
    suggest(installation, archive, car.id, 0, 1)
    judge(installation, archive, car.id, 0)
    outcome = curate.merge(installation, MARIA, ["car"], "automobile")
    assert outcome.reach.videos == 2
    assert tag(installation, "auto").id == big.id
    assert tag(installation, "automobile").aliases == ("car", "auto")
    assert tag(installation, f"#{car.id}").merged_into == big.id
    with installation.database.read() as connection:
        assert connection.scalar(select(func.count()).where(schema.suggestions.c.tag_id == car.id)) == 2
        assert connection.scalar(select(func.count()).where(schema.verdicts.c.tag_id == car.id)) == 1


def test_a_chain_of_merges_leads_to_its_root(installation):
    a, b, c = (curate.add(installation, MARIA, name).tag for name in "abc")
    curate.merge(installation, MARIA, ["a"], "b")
    curate.merge(installation, MARIA, ["b"], "c")
    assert tag(installation, f"#{a.id}").merged_into == c.id
    assert tag(installation, f"#{b.id}").merged_into == c.id
    assert tag(installation, "a") == tag(installation, "c")


def test_merges_in_a_circle_are_refused(installation):
    a, b = (curate.add(installation, MARIA, name).tag for name in "ab")
    curate.merge(installation, MARIA, ["a"], "b")
    for sources, into in ((["b"], "a"), (["b"], f"#{a.id}"), ([f"#{a.id}"], "b"), (["b"], f"#{b.id}")):
        with pytest.raises(ConflictError):
            curate.merge(installation, MARIA, sources, into)


@pytest.mark.parametrize("state", ["retired", "quarantined"])
def test_nothing_is_merged_into_a_tag_that_is_not_shown(installation, state):
    curate.add(installation, MARIA, "a")
    curate.add(installation, MARIA, "b", state=state)
    with pytest.raises(ConflictError, match=state):
        curate.merge(installation, MARIA, ["a"], "b")


def test_a_split_brings_a_merged_tag_back_with_its_names_and_suggestions(installation, archive):
    car = curate.add(installation, MARIA, "car", aliases=["auto"], description="four wheels").tag
    curate.add(installation, MARIA, "vehicle", aliases=["conveyance"])
    suggest(installation, archive, car.id, 0)
    curate.merge(installation, MARIA, ["car"], "vehicle")
    curate.add(installation, MARIA, "thing")
    curate.merge(installation, MARIA, ["vehicle"], "thing")
    outcome = curate.split(installation, MARIA, "car")
    assert tag(installation, "auto") == car
    assert outcome.reach.suggestions == 1
    assert tag(installation, "thing").aliases == ("vehicle", "conveyance")


def test_a_split_of_a_plain_alias_makes_a_new_tag(installation):
    curate.add(installation, MARIA, "bank", aliases=["river bank", "riverside", "money house"], language="en")
    curate.split(installation, MARIA, "river bank", ["riverside"])
    assert tag(installation, "riverside").names == ("river bank", "riverside")
    assert tag(installation, "riverside").language == "en"
    assert tag(installation, "bank").aliases == ("money house",)
    with pytest.raises(ConflictError, match="the tag itself"):
        curate.split(installation, MARIA, "bank")


def test_a_merged_tag_whose_name_was_removed_comes_back_by_its_number(installation):
    car = curate.add(installation, MARIA, "car").tag
    curate.add(installation, MARIA, "vehicle")
    curate.merge(installation, MARIA, ["car"], "vehicle")
    curate.remove_aliases(installation, MARIA, "vehicle", ["car"])
    assert curate.split(installation, MARIA, f"#{car.id}").tag == car


# --- states ------------------------------------------------------------------------------------------------------


def test_a_tag_goes_through_quarantine_approval_retirement_and_restoration(installation):
    curate.add(installation, MARIA, "flood", state="quarantined")
    assert curate.approve(installation, MARIA, ["flood"]).tag.state == "active"
    assert curate.retire(installation, MARIA, ["flood"]).tag.state == "retired"
    with pytest.raises(ConflictError, match="retired"):
        curate.approve(installation, MARIA, ["flood"])
    assert curate.restore(installation, MARIA, ["flood"]).tag.state == "active"


def test_several_tags_are_retired_together_or_not_at_all(installation):
    curate.add(installation, MARIA, "a")
    curate.add(installation, MARIA, "b")
    with pytest.raises(NotFoundError):
        curate.retire(installation, MARIA, ["a", "b", "c"])
    assert tag(installation, "a").state == "active"
    assert curate.retire(installation, MARIA, ["a", "b"]).version == 3


def test_restoring_a_tag_that_expired_keeps_it_for_good(installation, clock):
    curate.add(installation, MARIA, "flood", expires=datetime(2030, 1, 2, tzinfo=UTC))
    curate.retire(installation, MARIA, ["flood"])
    clock.move(days=3)
    assert curate.restore(installation, MARIA, ["flood"]).tag.expires_at is None


def test_description_expiry_threshold_groups_and_suggestable_are_kept(installation):
    curate.add(installation, MARIA, "flood")
    at = datetime(2031, 1, 1, tzinfo=UTC)
    curate.describe(installation, MARIA, "flood", "water where there should be none", "en-GB")
    curate.expire(installation, MARIA, "flood", at)
    curate.set_threshold(installation, MARIA, "flood", 0.4)
    curate.regroup(installation, MARIA, ["flood"], ["news", "water"], [])
    curate.regroup(installation, MARIA, ["flood"], [], ["news"])
    curate.set_suggestable(installation, MARIA, "flood", False)
    found = tag(installation, "flood")
    assert (found.description, found.language) == ("water where there should be none", "en-GB")
    assert (found.expires_at, found.threshold, found.groups) == (at, 0.4, ("water",))
    assert not found.suggestable


def test_what_was_barred_under_a_merged_name_is_let_in_again_and_the_change_undone(installation, archive):
    video = archive.videos[0]
    for text in ("car", "dog"):
        curate.add(installation, MARIA, text)
    curate.bar(installation, MARIA, "car", [video])
    curate.merge(installation, MARIA, ["car"], "dog")
    curate.bar(installation, MARIA, "dog", [video])  # it was, but under a name that may come back to itself
    assert barred_pairs(installation) == 2
    done = curate.bar(installation, MARIA, "dog", [video], lift=True)
    assert barred_pairs(installation) == 0
    curate.undo(installation, MARIA, done.version)
    assert barred_pairs(installation) == 2


def barred_pairs(installation) -> int:
    with installation.database.read() as connection:
        return connection.scalar(select(func.count()).select_from(schema.barred))


def test_a_tag_is_barred_from_a_video_and_again_allowed(installation, archive):
    curate.add(installation, MARIA, "car")
    video = archive.videos[1]
    done = curate.bar(installation, MARIA, "car", [video])
    assert curate.bar(installation, MARIA, "car", [video]).version is None

    def listed():
        with installation.database.read() as connection:
            return connection.scalars(select(schema.barred.c.video_id)).all()

    assert listed() == [video]
    curate.undo(installation, MARIA, done.version)
    assert listed() == []
    curate.bar(installation, MARIA, "car", [video])
    curate.bar(installation, MARIA, "car", [video], lift=True)
    assert listed() == []
    with pytest.raises(NotFoundError, match="#999"):
        curate.bar(installation, MARIA, "car", [999])


# --- two editors -------------------------------------------------------------------------------------------------


def test_the_second_of_two_editors_who_saw_the_same_version_is_refused(installation):
    curate.add(installation, MARIA, "car")
    seen = version(installation)
    curate.describe(installation, MARIA, "car", "four wheels", None)
    with pytest.raises(ConflictError, match="changed by change 2"):
        curate.retire(installation, Editing("paul", expected_version=seen), ["car"])
    curate.retire(installation, Editing("paul", expected_version=version(installation)), ["car"])


def test_without_a_version_each_editor_changes_his_own_field(installation):
    curate.add(installation, MARIA, "car")
    curate.describe(installation, MARIA, "car", "four wheels", None)
    curate.set_threshold(installation, Editing("paul"), "car", 0.7)
    assert (tag(installation, "car").description, tag(installation, "car").threshold) == ("four wheels", 0.7)


# --- undoing -----------------------------------------------------------------------------------------------------


def test_undo_brings_back_exactly_what_was_there(installation):
    for name in ("car", "auto", "van"):
        curate.add(installation, MARIA, name, aliases=[f"{name}s"], groups=["wheels"])
    before = every(installation)
    merged = curate.merge(installation, MARIA, ["auto", "van"], "car")
    assert curate.undo(installation, Editing("paul"), merged.version).version == merged.version + 1
    assert every(installation) == before


def test_an_undone_addition_is_gone_and_its_undo_brings_it_back_with_its_number(installation, archive):
    made = curate.add(installation, MARIA, "car", aliases=["auto"])
    judge(installation, archive, made.tag.id, 0)
    gone = curate.undo(installation, MARIA, made.version)
    assert every(installation) == []
    curate.add(installation, MARIA, "van")
    curate.undo(installation, MARIA, gone.version)
    assert tag(installation, "auto") == made.tag
    with installation.database.read() as connection:
        assert connection.scalar(select(schema.verdicts.c.tag_id)) == made.tag.id


def test_undo_is_refused_where_a_later_change_built_upon_it_and_names_that_change(installation):
    made = curate.add(installation, MARIA, "car")
    later = curate.describe(installation, Editing("paul"), "car", "four wheels", None)
    with pytest.raises(ConflictError, match=f"change {later.version} by paul"):
        curate.undo(installation, MARIA, made.version)
    curate.undo(installation, MARIA, later.version)
    curate.undo(installation, MARIA, made.version)
    assert every(installation) == []


def test_a_change_is_undone_once_and_the_refusal_says_how_to_make_it_again(installation):
    curate.add(installation, MARIA, "car")
    retired = curate.retire(installation, MARIA, ["car"])
    undone = curate.undo(installation, MARIA, retired.version)
    with pytest.raises(ConflictError, match=f"undone by change {undone.version}"):
        curate.undo(installation, MARIA, retired.version)
    curate.undo(installation, MARIA, undone.version)
    assert tag(installation, "car").state == "retired"


def test_undo_is_refused_where_the_old_name_was_given_away(installation):
    curate.add(installation, MARIA, "car")
    renamed = curate.rename(installation, MARIA, "car", "auto", keep_alias=False)
    curate.add(installation, MARIA, "vehicle", aliases=["car"])
    with pytest.raises(ConflictError, match="belongs to the tag 'vehicle'"):
        curate.undo(installation, MARIA, renamed.version)


def test_undo_is_refused_where_others_were_merged_into_what_would_vanish(installation):
    made = curate.add(installation, MARIA, "car")
    curate.add(installation, MARIA, "auto")
    curate.merge(installation, MARIA, ["auto"], "car")
    curate.remove_aliases(installation, MARIA, "car", ["auto"])
    with pytest.raises(ConflictError, match="'auto' is merged into 'car'"):
        curate.undo(installation, MARIA, made.version)


def test_there_is_nothing_to_undo_before_the_first_change(installation):
    with pytest.raises(NotFoundError, match="no change 1"):
        curate.undo(installation, MARIA, 1)


# --- sweeps ------------------------------------------------------------------------------------------------------


def test_new_approved_and_renamed_tags_ask_for_a_sweep_and_others_do_not(installation, archive):
    def asked(outcome):
        with installation.database.write() as connection:
            found = set(connection.scalars(select(schema.sweeps.c.tag_id)))
            connection.execute(schema.sweeps.delete())
        assert outcome.sweeps == len(found)
        return found

    car = curate.add(installation, MARIA, "car")
    van = curate.add(installation, MARIA, "van", state="quarantined")
    assert swept(installation) == {car.tag.id}
    asked(car)
    assert asked(van) == set()
    assert asked(curate.approve(installation, MARIA, ["van"])) == {van.tag.id}
    assert asked(curate.rename(installation, MARIA, "van", "lorry")) == {van.tag.id}
    assert asked(curate.add_aliases(installation, MARIA, "van", ["truck"])) == {van.tag.id}
    assert asked(curate.describe(installation, MARIA, "van", "large", None)) == set()
    assert asked(curate.merge(installation, MARIA, ["van"], "car")) == {car.tag.id}
    assert asked(curate.split(installation, MARIA, "lorry")) == {van.tag.id, car.tag.id}
    assert asked(curate.retire(installation, MARIA, ["van"])) == set()
    assert asked(curate.restore(installation, MARIA, ["van"])) == {van.tag.id}
    assert asked(curate.set_suggestable(installation, MARIA, "van", False)) == set()
    assert asked(curate.rename(installation, MARIA, "van", "wagon")) == set()


def test_a_sweep_that_was_done_is_asked_for_afresh(installation, archive):
    car = curate.add(installation, MARIA, "car").tag
    with installation.database.write() as connection:
        connection.execute(schema.sweeps.update().values(done_at=installation.clock(), hits=7))
    curate.add_aliases(installation, MARIA, "car", ["auto"])
    with installation.database.read() as connection:
        row = connection.execute(select(schema.sweeps)).one()
    assert (row.tag_id, row.done_at, row.hits) == (car.id, None, None)


def test_without_a_model_no_sweep_is_asked_for(installation):
    assert curate.add(installation, MARIA, "car").sweeps == 0


def test_a_tag_of_a_number_that_nobody_has_is_not_found(installation):
    with pytest.raises(NotFoundError, match="#7"), installation.database.read() as connection:
        load_one(connection, 7)
    curate.add(installation, MARIA, "football")
    with pytest.raises(NotFoundError, match="football"):
        tag(installation, "footbal")
