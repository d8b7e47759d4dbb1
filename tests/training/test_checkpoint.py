"""A checkpoint is read as it was written, stands whole whatever happens, and says when it cannot be read."""

from __future__ import annotations

import errno
import json

import pytest
import torch

from tagtower.errors import StorageError, TrainingError
from tagtower.training import checkpoint
from tagtower.training.checkpoint import read_checkpoint, remove_checkpoint


@pytest.fixture
def folder(problem, tmp_path):
    problem(loss={"name": "triplet"}, train={"epochs": 1}).fit(state_folder=tmp_path / "state")
    return tmp_path / "state"


def test_a_checkpoint_is_two_files(folder):
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".safetensors"]


def test_it_says_where_training_stood(folder):
    found = read_checkpoint(folder)
    assert found.state.step == 10
    assert [record.epoch for record in found.state.history] == [0, 1]
    assert [record.number for record in found.state.rounds] == [0]
    assert found.library.version == found.state.rounds[0].library
    assert len(found.negatives) == found.state.rounds[0].mining.pairs
    assert set(found.state.best.weights) == set(found.weights)


def test_it_holds_neither_frozen_weights_nor_anything_twice(folder):
    assert not [name for name in read_checkpoint(folder).weights if "backbone" in name]


def test_no_checkpoint_is_none(tmp_path):
    assert read_checkpoint(tmp_path) is None


@pytest.mark.parametrize("writer", ["save_file", "write_json"])
@pytest.mark.parametrize("death", [OSError(errno.ENOSPC, "No space left on device"), SystemExit()])
def test_whatever_happens_to_a_write_the_checkpoint_before_stands(
    problem, folder, monkeypatch, writer, death
):
    def fail(*_: object) -> None:
        raise death

    monkeypatch.setattr(checkpoint, writer, fail)
    before = read_checkpoint(folder)
    with pytest.raises((StorageError, OSError, SystemExit)):
        problem(loss={"name": "triplet"}, train={"epochs": 1}).fit(state_folder=folder, resume=True)
    after = read_checkpoint(folder)
    assert after.state.step == before.state.step
    assert all(torch.equal(after.weights[name], value) for name, value in before.weights.items())


def test_a_full_disk_is_named(problem, tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(StorageError, match=r"checkpoint-10.*No space left"):
        problem(train={"epochs": 1}).fit(state_folder=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", ["json", "tensors", "missing", "format"])
def test_a_damaged_one_says_so(folder, damage):
    path = folder / "checkpoint.json"
    (tensors,) = folder.glob("*.safetensors")
    if damage == "json":
        path.write_text(path.read_text()[:100])
    elif damage == "tensors":
        content = bytearray(tensors.read_bytes())
        content[-1] ^= 1
        tensors.write_bytes(content)
    elif damage == "missing":
        tensors.unlink()
    else:
        path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    with pytest.raises(TrainingError, match=r"checkpoint\.json.*\n.*without --resume"):
        read_checkpoint(folder)


def test_removing_leaves_other_files_alone(folder):
    (folder / "run.json").write_text("{}")
    remove_checkpoint(folder)
    assert [path.name for path in folder.iterdir()] == ["run.json"]
    remove_checkpoint(folder)
