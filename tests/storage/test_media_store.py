"""Media are stored once, under keys made of their hash alone, in a folder and in an object store alike."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from tagtower.errors import ConfigError, MediaError, StorageError
from tagtower.storage import media_store as module
from tagtower.storage.media_store import FolderStore, hash_media, media_key, media_store


@pytest.fixture(scope="module")
def object_server():
    """An S3 server of this test."""
    moto = pytest.importorskip("moto.server")
    server = moto.ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"
    finally:
        server.stop()


@pytest.fixture(params=["folder", "objects"])
def store(request, tmp_path, monkeypatch):
    """A store of each kind."""
    if request.param == "folder":
        return media_store(tmp_path / "media")
    address = request.getfixturevalue("object_server")
    bucket = f"b{secrets.token_hex(4)}"
    from urllib.request import Request, urlopen

    urlopen(Request(f"{address}/{bucket}", method="PUT"))
    for name, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": address,
        "AWS_ALLOW_HTTP": "true",
    }.items():
        monkeypatch.setenv(name, value)
    return media_store(f"s3://{bucket}/media")


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "clip.MP4"
    path.write_bytes(b"some media" * 1000)
    return path


def test_media_are_stored_once_and_come_back(store, file, tmp_path) -> None:
    stored = store.put(file, file.suffix)
    assert stored.key == media_key(stored.content_hash, ".mp4")
    assert (stored.content_hash, stored.bytes) == hash_media(file)
    assert store.put(file, ".mp4") == stored
    assert list(store.keys()) == [stored.key]
    assert store.exists(stored.key)
    with store.open(stored.key) as media:
        media.seek(5)
        assert bytes(media.read(5)) == b"media"
    with store.local(stored.key) as path:
        assert path.read_bytes() == file.read_bytes()
        assert path.suffix == ".mp4"
    assert store.uri(stored.key).endswith(stored.key)


def test_removed_media_are_gone(store, file) -> None:
    key = store.put(file).key
    assert store.remove(key)
    assert not store.remove(key)
    assert not store.exists(key)
    assert list(store.keys()) == []


def test_media_are_found_by_their_hash_whatever_their_suffix(store, file, tmp_path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"other media")
    store.put(other)
    keys = sorted([store.put(file, ".mp4").key, store.put(file, ".mov").key, store.put(file).key])
    assert store.with_hash(hash_media(file)[0]) == keys
    assert store.with_hash("0" * 64) == []


@pytest.mark.parametrize("suffix", ["", ".m p4", "/../x", ".mp4/x", ".verylongsuffix", "mp4", ".ü", ".mp4\n"])
def test_a_suffix_that_is_no_plain_one_is_dropped(suffix) -> None:
    assert media_key("ab" * 32, suffix) == f"ab/{'ab' * 32}"


@pytest.mark.parametrize(
    "key", ["../secret", "/etc/passwd", "ab/../../x", "", "ab/" + "a" * 63, "ab/" + "a" * 64 + "\n"]
)
def test_only_keys_of_the_store_are_looked_up(store, key) -> None:
    for call in (store.open, store.exists, store.remove, store.uri):
        with pytest.raises(StorageError, match="no key"):
            call(key)


def test_strange_files_in_the_folder_are_no_media(tmp_path, file) -> None:
    store = FolderStore(tmp_path / "media")
    key = store.put(file).key
    for name in ("notes.txt", f"{key[:2]}/notes.txt", f"{key[:2]}/.partial", f"{key}.mp4.tmp-file"):
        (tmp_path / "media" / name).write_text("")
    assert list(store.keys()) == [key]
    assert store.with_hash(Path(key).name) == [key]


def test_a_file_that_changes_while_it_is_copied_is_not_stored(tmp_path, file, monkeypatch) -> None:
    store = FolderStore(tmp_path / "media")
    real = module.hash_media

    def then_changed(path: Path):
        found = real(path)
        path.write_bytes(b"other")
        return found

    monkeypatch.setattr(module, "hash_media", then_changed)
    with pytest.raises(MediaError, match="changed"):
        store.put(file)
    assert list(store.keys()) == []


def test_a_store_of_another_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match="ftp"):
        media_store("ftp://example.org/x")
