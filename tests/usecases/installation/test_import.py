"""Files of tags brought into the library: what becomes of each row, and how an import is undone."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from tagtower.errors import ConflictError, NotFoundError, TagLibraryError
from tagtower.library import schema
from tagtower.library.curation import importing
from tagtower.library.curation.history import list_changes
from tagtower.library.curation.reading import TagFilter, every_tag, find
from tagtower.usecases.installation import curate
from tagtower.usecases.installation.curate import Editing

MARIA = Editing("maria")


def write(folder, rows, name="tags.jsonl"):
    path = folder / name
    path.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in rows))
    return path


def tag(installation, reference):
    with installation.database.read() as connection:
        return find(connection, reference)


def every(installation):
    with installation.database.read() as connection:
        return list(every_tag(connection, TagFilter()))


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(importing, "BATCH", 2)


def test_an_import_makes_the_tags_of_a_file_as_one_change(installation, archive, tmp_path):
    rows = [
        {"tag": "solar eclipse", "aliases": ["eclipse"], "description": "the sun goes", "expires": "2031-01-01",
         "language": "en", "groups": ["sky"]},
        {"tag": "car"},
    ]  # fmt: skip
    outcome = curate.import_file(installation, MARIA, write(tmp_path, rows))
    assert (outcome.imported.made, outcome.imported.sweeps, outcome.problems.count) == (2, 2, 0)
    found = tag(installation, "eclipse")
    assert (found.origin, found.language, found.groups) == ("import", "en", ("sky",))
    assert found.expires_at == datetime(2031, 1, 1, tzinfo=UTC)
    with installation.database.read() as connection:
        changes = list_changes(connection)
        assert [change.version for change in changes] == [1]
        assert list_changes(connection, tag=found) == changes
        assert connection.scalar(select(func.count()).select_from(schema.sweeps)) == 2


def test_bad_rows_are_counted_with_their_line_and_the_rest_comes_in(installation, tmp_path):
    rows = [
        {"tag": "car"},
        "no json",
        {"tag": " "},
        {"tag": 7},
        {"tag": "x", "language": "no language"},
        {"tag": "van"},
    ]
    outcome = curate.import_file(installation, MARIA, write(tmp_path, rows))
    assert outcome.imported.refused == 4
    assert [one.where.rpartition(":")[2] for one in outcome.problems.first] == ["2", "3", "4", "5"]
    assert [one.text for one in every(installation)] == ["car", "van"]


def test_a_file_without_a_usable_tag_is_refused_and_leaves_no_change(installation, tmp_path):
    with pytest.raises(TagLibraryError, match="no usable tags"):
        curate.import_file(installation, MARIA, write(tmp_path, ["no json"]))
    with installation.database.read() as connection:
        assert list_changes(connection) == []


def test_tags_that_are_there_keep_what_is_said_of_them_and_get_what_they_lack(
    installation, tmp_path, small_batches
):
    curate.add(installation, MARIA, "car", description="mine", aliases=["auto"])
    curate.add(installation, MARIA, "van")
    curate.add(installation, MARIA, "bus", description="long")
    rows = [
        {"tag": "CAR", "description": "theirs", "aliases": ["wagon", "bus"], "groups": ["wheels"]},
        {"tag": "lorry"},
        {"tag": "van", "description": "white"},
        {"tag": "bus"},
    ]
    outcome = curate.import_file(installation, MARIA, write(tmp_path, rows))
    assert (outcome.imported.made, outcome.imported.completed, outcome.imported.known) == (1, 2, 1)
    car = tag(installation, "car")
    assert (car.names, car.description, car.groups) == (("car", "auto", "wagon"), "mine", ("wheels",))
    assert [one.what for one in outcome.problems.first] == [
        "the alias 'bus' of 'CAR' is left out: another tag has that name"
    ]
    assert tag(installation, "van").description == "white"


def test_the_same_tag_twice_in_a_file_is_one_tag_also_across_batches(installation, tmp_path, small_batches):
    rows = [
        {"tag": "car", "aliases": ["auto"]},
        {"tag": "Car", "aliases": ["wagon"]},
        {"tag": "van"},
        {"tag": "CAR", "aliases": ["motor car"]},
        {"tag": "auto", "description": "four wheels"},
    ]
    outcome = curate.import_file(installation, MARIA, write(tmp_path, rows))
    assert (outcome.imported.made, outcome.imported.known) == (2, 3)
    car = tag(installation, "car")
    assert car.names == ("car", "auto", "wagon", "motor car")
    assert car.description == "four wheels"
    assert "'auto' is an alias of 'car'" in outcome.problems.first[0].what


def test_importing_a_file_again_changes_nothing(installation, tmp_path):
    path = write(tmp_path, [{"tag": "car", "aliases": ["auto"]}, {"tag": "van", "expires": "2031-01-01"}])
    curate.import_file(installation, MARIA, path)
    before = every(installation)
    again = curate.import_file(installation, MARIA, path)
    assert (again.imported.made, again.imported.completed, again.imported.known) == (0, 0, 2)
    assert every(installation) == before


def test_a_dry_run_of_an_import_counts_and_keeps_nothing(installation, tmp_path):
    path = write(tmp_path, [{"tag": "car"}, {"tag": "van"}, "bad"])
    tried = curate.import_file(installation, Editing("maria", dry_run=True), path)
    assert (tried.imported.made, tried.imported.refused, tried.to_json()["version"]) == (2, 1, None)
    assert every(installation) == []


@pytest.mark.parametrize("kind", ["plain", "table", "csv"])
def test_every_format_of_a_tag_library_can_be_imported(installation, tmp_path, kind):
    path = {
        "plain": lambda: write(tmp_path, ["car", "van"], "tags.txt"),
        "table": lambda: write(tmp_path, [{"tag": "car"}, {"tag": "van"}]),
        "csv": lambda: write(tmp_path, ["tag,aliases,groups", "car,auto;wagon,wheels", "van,,"], "tags.csv"),
    }[kind]()
    assert curate.import_file(installation, MARIA, path, state="quarantined").imported.made == 2
    assert tag(installation, "car").state == "quarantined"


def test_an_import_is_undone_with_what_it_made_and_what_it_completed_and_redone(
    installation, tmp_path, small_batches
):
    curate.add(installation, MARIA, "car", description="mine")
    before = every(installation)
    rows = [{"tag": "a"}, {"tag": "car", "aliases": ["auto"]}, {"tag": "b"}, {"tag": "A", "aliases": ["aa"]},
            {"tag": "car", "groups": ["wheels"]}, {"tag": "c", "groups": ["letters"]}]  # fmt: skip
    done = curate.import_file(installation, MARIA, write(tmp_path, rows))
    after = every(installation)
    assert tag(installation, "car").groups == ("wheels",)
    undone = curate.undo(installation, MARIA, done.imported.version)
    assert every(installation) == before
    curate.undo(installation, MARIA, undone.version)
    assert every(installation) == after


def test_an_import_of_which_a_tag_was_changed_is_not_undone_until_that_is(installation, tmp_path):
    rows = [{"tag": name} for name in "abcdef"]
    done = curate.import_file(installation, MARIA, write(tmp_path, rows))
    later = curate.describe(installation, Editing("paul"), "d", "the fourth", None)
    with pytest.raises(ConflictError, match=f"change {later.version} by paul"):
        curate.undo(installation, MARIA, done.imported.version)
    assert len(every(installation)) == 6
    curate.undo(installation, MARIA, later.version)
    curate.undo(installation, MARIA, done.imported.version)
    assert every(installation) == []


def test_a_tag_of_an_import_that_came_into_quarantine_asks_for_no_sweep(installation, archive, tmp_path):
    done = curate.import_file(installation, MARIA, write(tmp_path, [{"tag": "a"}]), state="quarantined")
    assert done.imported.sweeps == 0


def test_sweeps_of_an_import_can_be_left_out(installation, archive, tmp_path):
    curate.add(installation, MARIA, "a")
    path = write(tmp_path, [{"tag": "a", "aliases": ["x"]}, {"tag": "b"}])
    assert curate.import_file(installation, MARIA, path, sweep=False).imported.sweeps == 0


def test_a_retired_tag_stays_retired_and_the_import_says_so(installation, tmp_path):
    curate.add(installation, MARIA, "a")
    curate.retire(installation, MARIA, ["a"])
    outcome = curate.import_file(installation, MARIA, write(tmp_path, [{"tag": "a"}]))
    assert "retired" in outcome.problems.first[0].what
    assert tag(installation, "a").state == "retired"


def test_numbers_of_undone_tags_are_never_given_again(installation, tmp_path):
    path = write(tmp_path, [{"tag": "a"}, {"tag": "b"}])
    done = curate.import_file(installation, MARIA, path)
    taken = {one.id for one in every(installation)}
    curate.undo(installation, MARIA, done.imported.version)
    curate.import_file(installation, MARIA, path)
    assert taken.isdisjoint(one.id for one in every(installation))
    with pytest.raises(NotFoundError):
        tag(installation, f"#{min(taken)}")
