"""Fields by type: what is accepted, what is refused, and how the refusal reads."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from tagtower.errors import ManifestError
from tagtower.records import Problems
from tagtower.storage.rows import BadRows, FieldError, Row


def row(value, *, joined_lists=False):
    return Row(7, {"field": value}, joined_lists)


@pytest.mark.parametrize(
    ("value", "wanted"), [("a", "a"), (" a\n", "a"), ("", None), (" ", None), (None, None)]
)
def test_a_text_loses_the_blanks_around_it(value, wanted):
    assert row(value).text("field") == wanted
    assert Row(7, {}).text("field") is None


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (5, "the number 5"),
        (float("nan"), "the number nan"),
        (True, "true or false"),
        (["a"], "a list"),
        ({"a": 1}, "an object"),
        (b"a", "bytes"),
        ("a\0b", "NUL"),
        ("ab\ud800", "at place 3"),
    ],
)
def test_what_is_no_text_is_refused(value, reason):
    with pytest.raises(FieldError, match=reason) as refusal:
        row(value).text("field")
    assert refusal.value.field == "field"


def test_an_identifier_may_be_a_whole_number():
    assert [row(value).identifier("field") for value in (12, "x", None)] == ["12", "x", None]
    for value in (True, 1.5, []):
        with pytest.raises(FieldError):
            row(value).identifier("field")


def test_a_list_is_a_list_or_in_csv_a_text_with_semicolons():
    assert row(["a", " b ", ""]).texts("field") == ("a", "b")
    assert row("a; b ;;c", joined_lists=True).texts("field") == ("a", "b", "c")
    assert row("", joined_lists=True).texts("field") == row(None).texts("field") == ()


@pytest.mark.parametrize(
    ("value", "field"), [("a;b", "field"), ({}, "field"), (["a", 1], "field[1]"), ([None], "field[0]")]
)
def test_what_is_no_list_of_texts_is_refused_by_its_place(value, field):
    with pytest.raises(FieldError) as refusal:
        row(value).texts("field")
    assert refusal.value.field == field


def test_times_are_iso_and_in_utc_where_they_name_no_zone():
    noon = datetime(2025, 1, 31, 12, tzinfo=UTC)
    for value in (
        "2025-01-31T12:00:00Z",
        "2025-01-31 12:00",
        "2025-01-31T13:00:00+01:00",
        noon,
        datetime(2025, 1, 31, 12),
    ):
        assert row(value).time("field") == noon
    for value in ("2025-01-31", "20250131", date(2025, 1, 31)):
        assert row(value).time("field") == datetime(2025, 1, 31, tzinfo=UTC)
    east = row("2025-01-31T13:00:00+01:00").time("field")
    assert east is not None
    assert east.tzinfo == timezone(timedelta(hours=1))
    assert row(None).time("field") is None
    for value in ("yesterday", "2025-13-01", 1738324800, "x" * 10_000):
        with pytest.raises(FieldError) as refusal:
            row(value).time("field")
        assert len(refusal.value.what) < 150


def test_a_choice_names_the_choices():
    assert row("b").choice("field", {"a": 1, "b": 2}) == 2
    assert row("").choice("field", {"a": 1}) is None
    with pytest.raises(FieldError, match="'c' is none of a, b"):
        row("c").choice("field", {"a": 1, "b": 2})


def test_bad_rows_are_counted_or_if_strict_raised():
    problems = Problems()
    bad = BadRows(Path("m.jsonl"), problems, ManifestError)
    bad.add(3, "title: wrong")
    bad.add(0, "all wrong")
    assert [(problem.where, problem.what) for problem in problems.first] == [
        ("m.jsonl:3", "title: wrong"),
        ("m.jsonl", "all wrong"),
    ]
    assert "m.jsonl:3: title: wrong" in str(bad.nothing_left("rows"))
    with pytest.raises(ManifestError, match=r"m\.jsonl:3: title: wrong"):
        BadRows(Path("m.jsonl"), problems, ManifestError, strict=True).add(3, "title: wrong")
