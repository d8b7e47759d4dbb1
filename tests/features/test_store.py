from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tagtower.errors import MediaError, StorageError
from tagtower.features.store import CENTRE, TOUCH_SECONDS, FeatureKey, FeatureStore, StoreSize
from tagtower.storage.hashing import hash_file


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[FeatureStore]:
    opened = FeatureStore(tmp_path / "store" / "features.sqlite", clock=clock)
    yield opened
    opened.close()


def key(number: int, spec: str = "spec", draw: int = CENTRE) -> FeatureKey:
    return FeatureKey(f"content{number}", spec, draw)


def vector(number: int) -> np.ndarray:
    return np.random.default_rng(number).standard_normal(64).astype(np.float32)


def damage(path: Path) -> None:
    """Flip one bit in the middle of every stored array, behind the store's back."""
    with sqlite3.connect(path) as connection:
        for entry, value in connection.execute("SELECT id, value FROM arrays").fetchall():
            broken = bytearray(value)
            broken[len(broken) // 2] ^= 1
            connection.execute("UPDATE arrays SET value = ? WHERE id = ?", (bytes(broken), entry))
    connection.close()


class TestKeeping:
    def test_an_array_comes_back_and_another_key_is_a_miss(self, store: FeatureStore) -> None:
        store.put_many({key(1): vector(1)})
        np.testing.assert_array_equal(store.get(key(1)), vector(1))
        for other in (key(2), key(1, spec="other"), key(1, draw=0)):
            assert store.get(other) is None

    def test_many_come_back_at_once(self, store: FeatureStore) -> None:
        store.put_many({key(n, draw=n % 3): vector(n) for n in range(50)})
        keys = [key(n, draw=n % 3) for n in range(60)]
        found = store.get_many(keys)
        assert store.has_many(keys) == set(found) == set(keys[:50])
        for n in range(50):
            np.testing.assert_array_equal(found[keys[n]], vector(n))

    def test_the_later_array_of_a_key_wins(self, store: FeatureStore) -> None:
        store.put_many({key(1): vector(1)})
        store.put_many({key(1): np.zeros((2, 3), np.uint8)})
        np.testing.assert_array_equal(store.get(key(1)), np.zeros((2, 3)))
        assert store.size().entries == 1

    def test_an_empty_array_is_kept_and_nothing_is_no_write(self, store: FeatureStore) -> None:
        store.put_many({})
        store.put_many({key(1): np.zeros(0, np.float32)})
        found = store.get(key(1))
        assert found is not None
        assert found.shape == (0,)

    def test_what_was_stored_is_there_after_opening_again(self, store: FeatureStore) -> None:
        store.put_many({key(1): vector(1)})
        store.close()
        again = FeatureStore(store.path)
        np.testing.assert_array_equal(again.get(key(1)), vector(1))
        again.close()

    def test_one_bad_array_keeps_the_others_of_its_call_out(self, store: FeatureStore) -> None:
        with pytest.raises(TypeError):
            store.put_many({key(1): vector(1), key(2): np.array(["text"])})
        assert store.size().entries == 0


class TestDamage:
    def test_a_damaged_array_is_a_miss_and_can_be_stored_anew(self, store: FeatureStore) -> None:
        store.put_many({key(1): vector(1)})
        damage(store.path)
        assert store.get(key(1)) is None
        assert store.has_many([key(1)]) == set()
        store.put_many({key(1): vector(1)})
        np.testing.assert_array_equal(store.get(key(1)), vector(1))

    def test_a_damaged_file_is_a_storage_error_that_says_to_delete_it(self, store: FeatureStore) -> None:
        store.put_many({key(n): vector(n) for n in range(2000)})
        store.close()
        data = bytearray(store.path.read_bytes())
        data[100 : len(data) // 2] = bytes(len(data) // 2 - 100)
        store.path.write_bytes(data)
        with pytest.raises(StorageError) as caught:
            FeatureStore(store.path).get_many([key(n) for n in range(2000)])
        assert caught.value.hint is not None
        assert "delete it" in caught.value.hint


class TestSize:
    def test_counts_entries_and_bytes(self, store: FeatureStore) -> None:
        assert store.size() == StoreSize(0, 0)
        store.put_many({key(n): np.zeros(1000, np.float32) for n in range(10)})
        assert store.size().entries == 10
        assert 40_000 < store.size().bytes < 41_000

    def test_pruning_drops_what_was_not_used_for_longest(self, store: FeatureStore, clock: Clock) -> None:
        for n in range(10):
            store.put_many({key(n): vector(n)})
            clock.now += TOUCH_SECONDS
        store.get_many([key(0), key(3)])
        one = store.size().bytes // 10
        assert store.prune(3 * one) == StoreSize(3, 3 * one)
        assert store.has_many([key(n) for n in range(10)]) == {key(0), key(3), key(9)}

    def test_pruning_to_more_than_there_is_drops_nothing(self, store: FeatureStore) -> None:
        store.put_many({key(1): vector(1)})
        assert store.prune(1 << 40) == store.size() == StoreSize(1, store.size().bytes)

    def test_pruning_gives_the_space_back_to_the_disk(self, store: FeatureStore) -> None:
        store.put_many({key(n): np.zeros(1 << 20, np.uint8) for n in range(8)})
        assert sum(path.stat().st_size for path in store.path.parent.iterdir()) > 8 << 20
        assert store.prune(0) == StoreSize(0, 0)
        assert sum(path.stat().st_size for path in store.path.parent.iterdir()) < 1 << 20
        assert sqlite3.connect(store.path).execute("SELECT COUNT(*) FROM arrays").fetchone() == (0,)

    def test_reading_what_was_used_lately_writes_nothing(self, store: FeatureStore, clock: Clock) -> None:
        store.put_many({key(1): vector(1)})
        clock.now += TOUCH_SECONDS - 1
        journal = store.path.with_name(store.path.name + "-wal")
        before = journal.stat().st_size
        assert store.get(key(1)) is not None
        assert journal.stat().st_size == before


class TestContentHash:
    def test_is_the_hash_of_the_bytes(self, store: FeatureStore, tmp_path: Path) -> None:
        (tmp_path / "a.mp4").write_bytes(b"abc" * 1000)
        assert store.content_hash(tmp_path / "a.mp4") == hash_file(tmp_path / "a.mp4")

    def test_reads_an_unchanged_file_once(
        self, store: FeatureStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clip = tmp_path / "a.mp4"
        clip.write_bytes(b"abc")
        first = store.content_hash(clip)
        monkeypatch.setattr("tagtower.features.store.hash_file", lambda _: "read again")
        assert store.content_hash(str(clip)) == first
        os.utime(clip, ns=(1, 1))
        assert store.content_hash(clip) == "read again"

    def test_follows_a_change_of_the_same_size(self, store: FeatureStore, tmp_path: Path) -> None:
        clip = tmp_path / "a.mp4"
        hashes = set()
        for n in range(3):
            clip.write_bytes(bytes([n]) * 100)
            os.utime(clip, ns=(n, n))
            hashes.add(store.content_hash(clip))
        assert len(hashes) == 3

    def test_of_a_pruned_file_is_forgotten(self, store: FeatureStore, tmp_path: Path) -> None:
        for name in ("kept.mp4", "gone.mp4"):
            (tmp_path / name).write_text(name)
            store.content_hash(tmp_path / name)
        store.put_many({FeatureKey(hash_file(tmp_path / "kept.mp4"), "spec", CENTRE): vector(1)})
        store.prune(1 << 30)
        rows = sqlite3.connect(store.path).execute("SELECT path FROM files").fetchall()
        assert rows == [(str(tmp_path / "kept.mp4"),)]

    def test_of_what_is_no_readable_file_is_a_media_error(self, store: FeatureStore, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.mp4")
        for name, cause in [
            ("none.mp4", "missing"),
            (".", "unreadable"),
            ("pipe.mp4", "unreadable"),
            ("a\0b.mp4", "unreadable"),
        ]:
            with pytest.raises(MediaError) as caught:
                store.content_hash(f"{tmp_path}/{name}")
            assert caught.value.cause == cause


class TestPlaces:
    def test_the_default_is_below_the_users_cache(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TAGTOWER_CACHE", "/big/disk")
        assert FeatureStore.default_path() == Path("/big/disk/features.sqlite")
        monkeypatch.delenv("TAGTOWER_CACHE")
        monkeypatch.setenv("XDG_CACHE_HOME", "/home/me/caches")
        assert FeatureStore.default_path() == Path("/home/me/caches/tagtower/features.sqlite")
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setenv("HOME", "/home/me")
        assert FeatureStore.default_path() == Path("/home/me/.cache/tagtower/features.sqlite")

    def test_a_temporary_store_works_and_leaves_nothing(self) -> None:
        with FeatureStore.temporary() as store:
            store.put_many({key(1): vector(1)})
            np.testing.assert_array_equal(store.get(key(1)), vector(1))
            assert store.path.exists()
        assert not store.path.parent.exists()


WRITE_HUNDRED = """
import sys
import numpy as np
from tagtower.features.store import CENTRE, FeatureKey, FeatureStore

store, first = FeatureStore(sys.argv[1]), int(sys.argv[2])
for n in range(first, first + 100):
    key = FeatureKey(f"content{n}", "spec", CENTRE)
    store.put_many({key: np.random.default_rng(n).standard_normal(64).astype(np.float32)})
    assert store.get(key) is not None
"""

WRITE_UNTIL_KILLED = """
import sys
import numpy as np
from tagtower.features.store import FeatureKey, FeatureStore

store, batch = FeatureStore(sys.argv[1]), 0
while True:
    store.put_many({FeatureKey(str(batch), "spec", n): np.full(200_000, batch, np.uint8) for n in range(20)})
    print(batch, flush=True)
    batch += 1
"""

WRITE_UNTIL_FULL = """
import sys
import numpy as np
from tagtower.errors import StorageError
from tagtower.features.store import FeatureKey, FeatureStore

store = FeatureStore(sys.argv[1])
for batch in range(10_000):
    try:
        store.put_many({FeatureKey(str(batch), "spec", n): np.full(50_000, batch, np.uint8) for n in range(2)})
    except StorageError as error:
        print(batch, store.size().entries, len(store.get_many([FeatureKey("0", "spec", 0)])))
        print(error)
        break
"""


class TestSharing:
    def test_threads_may_write_and_read_at_once(self, store: FeatureStore) -> None:
        def work(n: int) -> bool:
            store.put_many({key(n): vector(n)})
            found = store.get(key(n))
            return found is not None and bool((found == vector(n)).all())

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(work, range(200)))

    def test_processes_may_open_a_new_store_and_write_at_once(self, tmp_path: Path) -> None:
        path = tmp_path / "features.sqlite"
        writers = [  # each range overlaps the next by half, so keys are written twice
            subprocess.Popen([sys.executable, "-c", WRITE_HUNDRED, str(path), str(50 * k)]) for k in range(5)
        ]
        assert [writer.wait(120) for writer in writers] == [0] * 5
        store = FeatureStore(path)
        found = store.get_many([key(n) for n in range(300)])
        assert len(found) == store.size().entries == 300
        for n in range(300):
            np.testing.assert_array_equal(found[key(n)], vector(n))
        store.close()

    @pytest.mark.parametrize("batches_before", [1, 3])
    def test_a_writer_killed_at_work_leaves_whole_calls_only(
        self, tmp_path: Path, batches_before: int
    ) -> None:
        path = tmp_path / "features.sqlite"
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITE_UNTIL_KILLED, str(path)], stdout=subprocess.PIPE
        )
        assert writer.stdout is not None
        reported = [int(writer.stdout.readline()) for _ in range(batches_before)]
        writer.send_signal(signal.SIGKILL)
        reported += [int(line) for line in writer.stdout.read().split()]
        writer.wait(60)
        store = FeatureStore(path)
        assert store.size().entries % 20 == 0
        for batch in reported:
            found = store.get_many([FeatureKey(str(batch), "spec", n) for n in range(20)])
            assert len(found) == 20
            assert all((array == batch).all() for array in found.values())
        store.put_many({key(1): vector(1)})
        np.testing.assert_array_equal(store.get(key(1)), vector(1))
        store.close()
        assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)

    def test_a_full_disk_is_a_storage_error_and_what_was_stored_stays(self, tmp_path: Path) -> None:
        # No file may grow beyond 2 MB here: the operating system refuses the write, as on a full disk.
        limit = 2_000_000
        done = subprocess.run(
            [sys.executable, "-c", WRITE_UNTIL_FULL, str(tmp_path / "features.sqlite")],
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        numbers, message, hint = done.stdout.strip().splitlines()
        whole_batches, entries, first = map(int, numbers.split())
        assert entries == 2 * whole_batches > 0
        assert first == 1
        assert "features.sqlite: the feature store failed" in message
        assert "free some space" in hint
        store = FeatureStore(tmp_path / "features.sqlite")
        assert store.size().entries == entries
        store.put_many({key(1): vector(1)})
        store.close()
