"""A cursor is taken by the question it was made for, and by no other."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagtower.errors import UsageError
from tagtower.library.videos.pages import read_cursor, write_cursor

QUESTION = {"tags": ["a"], "words": None}


@given(
    st.lists(st.integers(0, 2**62) | st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=2)
)
def test_a_cursor_comes_back_as_it_was(place) -> None:
    cursor = write_cursor("home", QUESTION, place)
    assert read_cursor("home", QUESTION, cursor, len(place)) == tuple(place)


@given(st.data())
def test_a_changed_cursor_is_refused(data) -> None:
    cursor = write_cursor("home", QUESTION, [12345])
    at = data.draw(st.integers(0, len(cursor) - 1))
    letter = data.draw(st.sampled_from(string.ascii_letters + string.digits + "-_"))
    changed = cursor[:at] + letter + cursor[at + 1 :]
    if changed == cursor:
        return
    try:
        place = read_cursor("home", QUESTION, changed, 1)
    except UsageError:
        return
    assert place == (12345,)  # the last letter holds bits that say nothing


@given(st.text(max_size=600))
def test_any_text_is_a_cursor_or_wrong_use(text) -> None:
    with pytest.raises(UsageError):
        read_cursor("home", QUESTION, text, 1)


def test_another_question_or_installation_refuses_it() -> None:
    cursor = write_cursor("home", QUESTION, [1])
    for home, question, length in (
        ("other", QUESTION, 1),
        ("home", {**QUESTION, "words": "x"}, 1),
        ("home", QUESTION, 2),
    ):
        with pytest.raises(UsageError, match="cursor"):
            read_cursor(home, question, cursor, length)
