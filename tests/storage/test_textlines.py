"""Lines of text from anywhere, against what Python would make of the same bytes in memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagtower.errors import ManifestError
from tagtower.records import Problems
from tagtower.storage import textlines
from tagtower.storage.rows import BadRows
from tagtower.storage.textlines import text_lines


def bad_rows(path: Path) -> BadRows:
    return BadRows(path, Problems(), ManifestError)


def slow_lines(content: bytes) -> list[tuple[int, str]]:
    lines = content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    kept = []
    for number, line in enumerate(lines if lines[-1] else lines[:-1], start=1):
        try:
            text = line.decode()
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            kept.append((number, text))
    return kept


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [b"a", b"\n", b"\r", b"\r\n", b"\0", b"\xe9", "é".encode(), b"\xef\xbb\xbf", b"\xff"]
        ),
        min_size=1,
    )
)
def test_lines_equal_the_slow_reading(tmp_path_factory, pieces):
    content = b"x" + b"".join(pieces)
    path = tmp_path_factory.mktemp("lines") / "f.txt"
    path.write_bytes(content)
    bad = bad_rows(path)
    assert list(text_lines(bad)) == slow_lines(content)


def test_every_line_is_yielded_or_bad(tmp_path):
    path = tmp_path / "f.txt"
    path.write_bytes(b"\xef\xbb\xbfone\n\nthr\0ee\nfo\xe9ur\nfive")
    bad = bad_rows(path)
    assert list(text_lines(bad)) == [(1, "one"), (2, ""), (5, "five")]
    assert [problem.where for problem in bad.problems.first] == [f"{path}:3", f"{path}:4"]
    assert "byte 0xE9 at column 3" in bad.problems.first[1].what


def test_an_endless_line_is_skipped_and_the_next_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(textlines, "MAX_LINE_CHARACTERS", 10)
    path = tmp_path / "f.txt"
    for length in (10, 11, 20, 21, 22, 35):
        path.write_text("a\n" + "x" * length + "\nb\n" + "y" * 11)
        bad = bad_rows(path)
        assert [line for line, _ in text_lines(bad)] == ([1, 2, 3] if length == 10 else [1, 3])
        assert bad.count == (1 if length == 10 else 2)


def test_line_separators_of_unicode_end_no_line(tmp_path):
    path = tmp_path / "f.txt"
    path.write_text("a\u2028b\x85c\x0bd\n", encoding="utf-8")
    assert list(text_lines(bad_rows(path))) == [(1, "a\u2028b\x85c\x0bd")]


def test_a_half_written_utf_16_file_is_refused(tmp_path):
    path = tmp_path / "f.txt"
    path.write_bytes("car".encode("utf-16") + b"a")
    with pytest.raises(ManifestError, match="UTF-8"):
        list(text_lines(bad_rows(path)))


def test_a_pipe_is_refused_and_does_not_hang(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(ManifestError, match="no regular file"):
        list(text_lines(bad_rows(path)))


@pytest.mark.parametrize("name", ["a\0b", "n" * 5000])
def test_an_impossible_name_is_refused(tmp_path, name):
    with pytest.raises(ManifestError, match="cannot be read"):
        list(text_lines(bad_rows(tmp_path / name)))


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_without_permission_is_refused(tmp_path):
    path = tmp_path / "f.txt"
    path.write_text("a")
    path.chmod(0)
    with pytest.raises(ManifestError, match="Permission denied"):
        list(text_lines(bad_rows(path)))
