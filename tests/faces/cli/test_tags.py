"""`tagtower tags HOME` as typed: every change, tried and made, and what is shown of it."""

from __future__ import annotations

import getpass
import json

import pytest

from tagtower.usecases.installation.home import init


@pytest.fixture
def home(tmp_path):
    init(tmp_path / "home", environment={})
    return tmp_path / "home"


@pytest.fixture
def tags(tagtower, home):
    """Runs a command that has to succeed, and gives what it printed."""

    def run(*arguments, code=0):
        result = tagtower("tags", home, *arguments)
        assert result.code == code, result.err
        return result

    return run


def test_a_tag_is_added_listed_and_shown(tags):
    added = tags(
        "add", "solar eclipse", "--alias", "eclipse", "--group", "sky", "--expires", "7d", "--author", "maria"
    )
    assert "change 1" in added.err
    listed = tags("list", "--json").json
    assert listed["schema"] == 1
    assert (listed["version"], listed["total"], listed["next"]) == (1, 1, None)
    assert listed["tags"][0]["text"] == "solar eclipse"
    assert "eclipse" in tags("list").out
    shown = tags("show", "ECLIPSE", "--json").json
    assert shown["tag"]["groups"] == ["sky"]
    assert shown["changes"][0]["author"] == "maria"
    assert "solar eclipse" in tags("show", "#1").out


def test_the_author_is_the_user_of_the_machine_where_none_is_named(tags):
    tags("add", "car")
    assert tags("history", "--json").json["changes"][0]["author"] == getpass.getuser()


CHANGES = [
    ("rename", "car", "automobile"),
    ("rename", "car", "automobile", "--no-alias"),
    ("alias", "car", "wagon", "motor car"),
    ("alias", "car", "auto", "--remove"),
    ("merge", "van", "--into", "car"),
    ("split", "auto"),
    ("retire", "car", "van"),
    ("approve", "flood"),
    ("describe", "car", "four wheels", "--language", "en"),
    ("expire", "car", "2040-01-01"),
    ("expire", "car", "7d"),
    ("group", "car", "van", "--into", "wheels"),
    ("bar", "car"),
    ("threshold", "car", "0.7"),
    ("undo", "2"),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: " ".join(change))
def test_every_change_can_be_tried_made_and_undone(tags, change):
    tags("add", "car", "--alias", "auto")
    tags("add", "van")
    tags("add", "flood", "--quarantine")
    before = tags("export", "--state", "active").out + tags("list", "--json").out
    tried = tags(*change, "--dry-run", "--json").json
    assert tried["version"] is None
    assert tried["changed"]
    assert tags("export", "--state", "active").out + tags("list", "--json").out == before
    made = tags(*change, "--json").json
    assert made["version"] == 4
    assert tags("list", "--json").json["version"] == 4
    tags("undo", "4")
    after = tags("export", "--state", "active").out + tags("list", "--json").out
    assert strip(after) == strip(before)


def strip(text):
    return [line for line in text.splitlines() if '"version"' not in line]


def test_a_change_that_is_so_already_is_told_and_has_no_number(tags):
    tags("add", "car")
    assert "so already" in tags("restore", "car").err
    assert tags("threshold", "car", "--json").json["version"] is None


def test_a_name_that_is_taken_is_refused_with_the_tag_that_has_it(tags):
    tags("add", "automobile", "--alias", "car")
    assert "belongs to the tag 'automobile'" in tags("add", "Car", code=3).err


def test_the_second_editor_is_refused_who_has_not_seen_the_last_change(tags):
    tags("add", "car")
    tags("describe", "car", "four wheels")
    assert "changed by change 2" in tags("retire", "car", "--if-version", "1", code=3).err


def test_a_file_comes_in_with_its_bad_rows_named_and_goes_out_again(tags, tmp_path):
    file = tmp_path / "tags.csv"
    file.write_text("tag,aliases,language,groups\ncar,auto;wagon,en,wheels;things\n,,,\nvan,,,\n  ,x,,\n")
    result = tags("import", file, "--json", code=1)
    assert (result.json["made"], result.json["refused"]) == (2, 1)
    assert result.json["problems"][0]["where"].endswith("tags.csv:5")
    for name in ("out.jsonl", "out.csv"):
        tags("export", "--out", tmp_path / name)
        again = tags("import", tmp_path / name, "--dry-run", "--json").json
        assert (again["made"], again["completed"], again["known"], again["problem_count"]) == (0, 0, 2, 0)
    rows = [json.loads(line) for line in tags("export").out.splitlines()]
    assert rows == [
        {"tag": "car", "aliases": ["auto", "wagon"], "language": "en", "groups": ["things", "wheels"]},
        {"tag": "van"},
    ]
    tags("export", "--out", tmp_path / "out.csv", code=2)
    tags("export", "--out", tmp_path / "out.pdf", code=2)


def test_lists_are_filtered_ordered_and_paged(tags, tmp_path):
    file = tmp_path / "tags.txt"
    file.write_text("\n".join(f"tag {number}" for number in range(25)))
    tags("import", file)
    tags("add", "older tag", "--group", "old", "--language", "de-AT")
    tags("retire", "tag 3")

    def texts(*options):
        return [tag["text"] for tag in tags("list", "--json", *options).json["tags"]]

    assert texts("--search", "TAG 2", "--limit", "50") == [
        "tag 2",
        "tag 20",
        "tag 21",
        "tag 22",
        "tag 23",
        "tag 24",
    ]
    assert texts("--state", "retired") == ["tag 3"]
    assert (
        texts("--group", "old") == texts("--language", "de") == texts("--origin", "person") == ["older tag"]
    )
    assert texts("--order", "newest", "--limit", "1") == ["older tag"]
    for order in ("id", "name", "newest"):
        seen, after = [], []
        while True:
            page = tags("list", "--json", "--order", order, "--limit", "7", *after).json
            seen += [tag["id"] for tag in page["tags"]]
            if page["next"] is None:
                break
            after = ["--after", page["next"]]
        assert sorted(seen) == list(range(1, 27))
    assert tags("list", "--groups", "--json").json["groups"] == [{"name": "old", "tags": 1}]


def test_history_tells_a_tags_own_changes_and_one_change_with_its_tags(tags):
    tags("add", "car")
    tags("add", "van")
    tags("rename", "car", "automobile")
    assert [change["version"] for change in tags("history", "automobile", "--json").json["changes"]] == [3, 1]
    one = tags("history", "--version", "3", "--json").json
    assert [(tag["before"]["text"], tag["after"]["text"]) for tag in one["tags"]] == [("car", "automobile")]
    assert "rename 'car' to 'automobile'" in tags("history").out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("expire", "car"), 2),
        (("expire", "car", "soon"), 2),
        (("group", "car"), 2),
        (("list", "--state", "gone"), 2),
        (("list", "--order", "size"), 2),
        (("add", "car", "--expires", "x"), 2),
        (("show", "nobody"), 3),
        (("threshold", "car", "7"), 3),
        (("bar", "car", "--video", "99"), 3),
        (("undo", "99"), 3),
        (("import", "nowhere.txt"), 3),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)  # fmt: skip
def test_what_cannot_be_is_refused_with_what_to_do(tags, arguments, code):
    tags("add", "car")
    result = tags(*arguments, code=code)
    assert result.err.startswith("tagtower: ")
    assert len(result.err.splitlines()) >= 2
    assert tags("list", "--json").json["version"] == 1


def test_a_folder_that_is_no_installation_is_refused(tagtower, tmp_path):
    result = tagtower("tags", tmp_path, "list")
    assert result.code == 2
    assert "no installation" in result.err


@pytest.mark.parametrize(
    "text", ["[bold]loud[/bold]", "[/nothing]", ":smiley:", "$(rm)", "'; DROP TABLE tags; --"]
)
def test_a_tag_is_shown_as_it_is_written(tags, text):
    tags("add", text)
    assert text in tags("list").out
    assert text in tags("show", "#1").out
    assert text in tags("history").out
