from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tagtower.errors import StorageError
from tagtower.features import database
from tagtower.features.database import Database


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Database]:
    base = Database(tmp_path / "features.sqlite")
    yield base
    base.close()


def count_files(base: Database) -> int:
    with base.read() as connection:
        return int(connection.execute("SELECT COUNT(*) FROM files").fetchone()[0])


def add_file(base: Database, name: str) -> None:
    with base.write() as connection:
        connection.execute("INSERT INTO files VALUES (?, 1, 1, 'x')", (name,))


def test_a_failed_block_leaves_nothing(opened: Database) -> None:
    def add_and_fail() -> None:
        with opened.write() as connection:
            connection.execute("INSERT INTO files VALUES ('a', 1, 1, 'x')")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add_and_fail()
    assert count_files(opened) == 0
    add_file(opened, "b")
    assert count_files(opened) == 1


def test_a_full_database_says_that_the_disk_is_full_and_works_on(opened: Database) -> None:
    add_file(opened, "a")
    with opened.read() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError, match="full") as caught:
        add_file(opened, "b" * 1_000_000)
    assert caught.value.hint is not None
    assert "free some space" in caught.value.hint
    assert count_files(opened) == 1
    add_file(opened, "c")


def test_a_lock_that_another_keeps_is_named(opened: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "WAIT_SECONDS", 0.05)
    second = Database(opened.path)
    with opened.write(), pytest.raises(StorageError, match="locked"):
        add_file(second, "a")
    add_file(second, "a")
    second.close()


def test_what_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("my notes " * 999)
    with pytest.raises(StorageError, match=r"notes\.txt") as caught:
        Database(tmp_path / "notes.txt")
    assert caught.value.hint == "The file is no feature store: name another place, or delete it."
    assert (tmp_path / "notes.txt").read_text() == "my notes " * 999


def test_a_store_of_another_format_is_refused(opened: Database) -> None:
    opened.close()
    with sqlite3.connect(opened.path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StorageError, match="format 99"):
        Database(opened.path)


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="cannot be opened"):
        Database(tmp_path / "file" / "sub" / "features.sqlite")
    with pytest.raises(StorageError, match="unable to open"):
        Database(tmp_path)


def test_a_wrong_query_is_a_bug_and_no_storage_error(opened: Database) -> None:
    with pytest.raises(sqlite3.ProgrammingError), opened.read() as connection:
        connection.execute("SELECT ?", (1, 2))
