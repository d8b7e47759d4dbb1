"""A session: the model with its store and decoder, closed at the end; devices by name."""

from __future__ import annotations

import shutil

import pytest
import torch

from tagtower.errors import ModelError, StorageError, UsageError
from tagtower.usecases.session import open_session, open_store, parse_device, pick_device, set_threads


def test_a_store_lies_in_the_folder_that_is_named(tmp_path):
    with open_store(tmp_path / "mine") as store:
        assert store.path.parent == tmp_path / "mine"
        assert store.path.is_file()


def test_the_users_own_store_is_the_default(own_cache):
    with open_store() as store:
        assert store.path.parent == own_cache


def test_a_bypassed_store_is_gone_at_the_end(tmp_path):
    with open_store(tmp_path / "mine", bypass=True) as store:
        assert not (tmp_path / "mine").exists()
    assert not store.path.exists()


def test_a_store_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError), open_store(tmp_path / "file" / "below"):
        pass


def test_a_folder_that_is_no_model_is_told(tmp_path, trained):
    with pytest.raises(ModelError, match="no such model folder"), open_session(tmp_path / "nope"):
        pass
    half = shutil.copytree(trained, tmp_path / "half")
    (half / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"model\.safetensors is missing"), open_session(half):
        pass


def test_devices_by_name(monkeypatch):
    assert parse_device("cpu") == "cpu"
    with pytest.raises(UsageError, match="'tpu'"):
        parse_device("tpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto").type == pick_device("cpu").type == "cpu"
    with pytest.raises(UsageError, match="sees none"):
        pick_device("cuda")


def test_threads_are_set(monkeypatch):
    before = torch.get_num_threads()
    try:
        assert set_threads(1) == torch.get_num_threads() == 1
        assert set_threads(0) == torch.get_num_threads() >= 1
    finally:
        torch.set_num_threads(before)
