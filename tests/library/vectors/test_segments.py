"""Segment files survive kills, hold nothing of what was removed, and are never read as another model's."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from tagtower.errors import FingerprintError, StorageError
from tagtower.library.database import Database
from tagtower.library.migrate import upgrade
from tagtower.library.schema import segments
from tagtower.library.vectors import SegmentVectors, segment_file, segment_folder


@pytest.fixture
def empty_database(tmp_path: Path):
    with Database.file(tmp_path / "library.sqlite") as database:
        yield database


@pytest.fixture
def database(empty_database: Database) -> Database:
    upgrade(empty_database)
    return empty_database


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "vectors"


@pytest.fixture
def store(database: Database, folder: Path) -> SegmentVectors:
    return SegmentVectors(database, folder)


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of ten rows of width 8."""
    monkeypatch.setattr(segment_file, "MAX_BYTES", segment_file.HEADER_BYTES + 10 * 40)


def made(count: int, seed: int = 0) -> np.ndarray:
    found = np.random.default_rng(seed).standard_normal((count, 8)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def add(store, database, model, ids, vectors) -> None:
    with database.write() as connection:
        store.add(connection, model.id, ids, vectors)


def undone(database, *changes) -> None:
    with database.write() as connection:
        for change in changes:
            change(connection)
        raise ZeroDivisionError


def held(store, database, model) -> dict[int, np.ndarray]:
    with database.read() as connection:
        return {
            int(one): vector.copy()
            for ids, block in store.blocks(connection, model.id)
            for one, vector in zip(ids, block, strict=True)
        }


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*.vectors"))


def rows(path: Path) -> int:
    return (path.stat().st_size - segment_file.HEADER_BYTES) // 40


def test_a_row_that_was_not_committed_is_cut_off_by_the_next_writer(
    database, store, folder, enter_model, videos_of
) -> None:
    model, ids = enter_model("a"), videos_of(4)
    add(store, database, model, ids[:1], made(1))
    with pytest.raises(ZeroDivisionError):
        undone(database, lambda connection: store.add(connection, model.id, ids[1:], made(3, 1)))
    assert rows(files(folder)[0]) == 4
    add(store, database, model, ids[3:], made(1, 2))
    assert rows(files(folder)[0]) == 2
    assert made(3, 1)[0].tobytes() not in files(folder)[0].read_bytes()
    assert held(store, database, model)[ids[3]] == pytest.approx(made(1, 2)[0])


def add_and_die(path: Path, folder: Path, model_id: int, ids: list[int]) -> None:
    database = Database.file(path)
    store = SegmentVectors(database, folder)
    with database.write() as connection:
        store.add(connection, model_id, ids, made(len(ids), 5))
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_writer_that_is_killed_leaves_nothing_that_counts(
    database, store, folder, tmp_path, enter_model, videos_of
) -> None:
    model, ids = enter_model("a"), videos_of(6)
    add(store, database, model, ids[:2], made(2))
    process = multiprocessing.get_context("spawn").Process(
        target=add_and_die, args=(tmp_path / "library.sqlite", folder, model.id, ids[2:])
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert rows(files(folder)[0]) == 6
    assert sorted(held(store, database, model)) == ids[:2]
    add(store, database, model, ids[5:], made(1, 9))
    assert rows(files(folder)[0]) == 3
    assert sorted(held(SegmentVectors(database, folder), database, model)) == [*ids[:2], ids[5]]


def write_many(path: Path, folder: Path, model_id: int, ids: list[int]) -> None:
    database = Database.file(path)
    store = SegmentVectors(database, folder)
    for one in ids:
        with database.write() as connection:
            store.add(connection, model_id, [one], np.full((1, 8), one, np.float32))


def test_several_processes_write_one_after_the_other(
    database, store, folder, tmp_path, enter_model, videos_of
) -> None:
    model, ids = enter_model("a", distance="euclidean"), videos_of(60)
    context = multiprocessing.get_context("spawn")
    writers = [
        context.Process(target=write_many, args=(tmp_path / "library.sqlite", folder, model.id, ids[k::3]))
        for k in range(3)
    ]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        for one, vector in held(store, database, model).items():
            assert (vector == one).all()
        writers[0].join(0.05)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert sorted(held(store, database, model)) == ids


def test_files_fill_up_one_after_the_other(
    small_files, database, store, folder, enter_model, videos_of
) -> None:
    model, ids = enter_model("a"), videos_of(25)
    add(store, database, model, ids[:7], made(7))
    add(store, database, model, ids[7:], made(18, 1))
    assert [rows(path) for path in files(folder)] == [10, 10, 5]
    found = held(store, database, model)
    assert np.stack([found[one] for one in ids]) == pytest.approx(np.concatenate([made(7), made(18, 1)]))


def test_what_was_removed_is_no_longer_in_the_file(database, store, folder, enter_model, videos_of) -> None:
    model, ids, vectors = enter_model("a"), videos_of(3), made(3)
    add(store, database, model, ids, vectors)
    assert vectors[1].tobytes() in files(folder)[0].read_bytes()
    with pytest.raises(ZeroDivisionError):
        undone(database, lambda connection: store.remove(connection, ids[1:2]))
    assert held(store, database, model)[ids[1]] == pytest.approx(vectors[1])
    with database.write() as connection:
        store.remove(connection, ids[1:2])
    assert vectors[1].tobytes() not in files(folder)[0].read_bytes()
    assert vectors[2].tobytes() in files(folder)[0].read_bytes()


def test_what_was_replaced_is_no_longer_in_the_file(database, store, folder, enter_model, videos_of) -> None:
    model, ids = enter_model("a"), videos_of(1)
    add(store, database, model, ids, made(1))
    add(store, database, model, ids, made(1, 1))
    assert made(1).tobytes() not in files(folder)[0].read_bytes()


def test_what_a_killed_program_left_to_be_overwritten_does_not_count_and_is_overwritten_later(
    database, store, folder, enter_model, videos_of, monkeypatch
) -> None:
    model, ids, vectors = enter_model("a"), videos_of(3), made(3)
    add(store, database, model, ids, vectors)
    with monkeypatch.context() as patch:
        patch.setattr("tagtower.library.vectors.segments.wipe", lambda *_: None)
        with database.write() as connection:
            store.remove(connection, ids[:1])
    assert vectors[0].tobytes() in files(folder)[0].read_bytes()
    assert sorted(held(store, database, model)) == ids[1:]
    store.tidy()
    assert vectors[0].tobytes() not in files(folder)[0].read_bytes()
    with database.read() as connection:
        assert connection.execute(select(segments.c.gone, segments.c.unwiped)).one() == (1, 0)


def test_sparse_files_are_compacted_and_old_ones_go_later(
    small_files, database, store, folder, enter_model, videos_of, monkeypatch
) -> None:
    model, ids, vectors = enter_model("a"), videos_of(25), made(25)
    add(store, database, model, ids, vectors)
    with database.read() as before:
        old = store.blocks(before, model.id)
        first_ids, first = next(old)
        with database.write() as connection:
            store.remove(connection, ids[2:10])
        store.tidy()
        # A reader of an earlier moment goes on reading the file that was compacted away.
        assert first[:2] == pytest.approx(vectors[:2])
        assert first_ids[:2].tolist() == ids[:2]
        list(old)
    assert [path.name for path in files(folder)] == [f"00000{k}.vectors" for k in (1, 2, 3)]
    monkeypatch.setattr(segment_folder, "GRACE_SECONDS", -1.0)
    store.tidy()
    assert [path.name for path in files(folder)] == [f"00000{k}.vectors" for k in (2, 3)]
    for reader in (store, SegmentVectors(database, folder)):
        found = held(reader, database, model)
        assert sorted(found) == ids[:2] + ids[10:]
        assert found[ids[1]] == pytest.approx(vectors[1])
    assert [rows(path) for path in files(folder)] == [10, 7]
    add(store, database, model, ids[2:10], vectors[2:10])
    assert [rows(path) for path in files(folder)] == [10, 10, 5]


def test_a_file_of_another_model_is_refused(database, store, folder, enter_model, videos_of) -> None:
    one, other, ids = enter_model("a"), enter_model("b"), videos_of(2)
    add(store, database, one, ids, made(2))
    add(store, database, other, ids, made(2))
    path = folder / "v-a" / "000001.vectors"
    path.write_bytes((folder / "v-b" / "000001.vectors").read_bytes())
    with pytest.raises(FingerprintError, match="another model"):
        held(SegmentVectors(database, folder), database, one)
    with pytest.raises(FingerprintError, match="another model"):
        add(store, database, one, ids, made(2, 3))


@pytest.mark.parametrize("damage", ["missing", "short", "no header", "empty"])
def test_a_damaged_file_is_told_of(damage, database, store, folder, enter_model, videos_of) -> None:
    model, ids = enter_model("a"), videos_of(3)
    add(store, database, model, ids, made(3))
    (path,) = files(folder)
    content = path.read_bytes()
    {
        "missing": path.unlink,
        "short": lambda: path.write_bytes(content[:-1]),
        "no header": lambda: path.write_bytes(b"x" * len(content)),
        "empty": lambda: path.write_bytes(b""),
    }[damage]()
    with pytest.raises(StorageError, match="000001.vectors"):
        held(SegmentVectors(database, folder), database, model)


def test_a_dropped_model_leaves_no_file(database, store, folder, enter_model, videos_of) -> None:
    model, ids = enter_model("a"), videos_of(3)
    add(store, database, model, ids, made(3))
    with database.write() as connection:
        store.drop(connection, model.id)
        assert files(folder)
    assert not files(folder)
    add(store, database, model, ids, made(3))
    assert sorted(held(store, database, model)) == ids


def test_rows_of_a_dropped_model_are_overwritten_where_another_uses_the_file(
    database, store, folder, enter_model, videos_of
) -> None:
    one, other = (enter_model(name, vectors="same") for name in "ab")
    ids, vectors = videos_of(3), made(3)
    add(store, database, one, ids, vectors)
    add(store, database, other, ids[:2], made(2, 4))
    with database.write() as connection:
        store.drop(connection, one.id)
    assert sorted(held(store, database, other)) == ids[:2]
    assert vectors[2].tobytes() not in files(folder)[0].read_bytes()
