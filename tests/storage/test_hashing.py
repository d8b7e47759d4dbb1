from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagtower.storage.hashing import hash_file, hash_json, hash_text


def test_a_file_hashes_to_the_sha256_of_its_bytes(tmp_path: Path) -> None:
    data = bytes(range(256)) * 9000
    (tmp_path / "clip.bin").write_bytes(data)
    assert hash_file(tmp_path / "clip.bin") == hashlib.sha256(data).hexdigest()


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        hash_file(tmp_path / "none.bin")


@given(st.text(), st.text())
def test_texts_hash_alike_only_when_they_are_alike(a: str, b: str) -> None:
    assert (hash_text(a) == hash_text(b)) == (a == b)


def test_a_lone_surrogate_hashes() -> None:
    assert hash_text("\ud800") != hash_text("\ud801")


def test_the_order_of_keys_does_not_change_the_hash_and_values_do() -> None:
    assert hash_json({"a": 1, "b": [1, 2.5, None]}) == hash_json({"b": [1, 2.5, None], "a": 1})
    assert hash_json({"a": 1}) != hash_json({"a": 2})
    assert hash_json([1, 2]) != hash_json([2, 1])


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        hash_json({"a": float("nan")})
    with pytest.raises(TypeError):
        hash_json({"a": object()})
