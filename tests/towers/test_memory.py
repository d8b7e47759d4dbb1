"""A tag that training has seen answers with a vector of its own beside its words; any other answers as before."""

from __future__ import annotations

import pytest
import torch

from tagtower.towers import collate_texts
from tagtower.towers.memory import NONE, TagMemory

from .conftest import TAGS, tiny_tower


def test_growing_keeps_what_was_learnt() -> None:
    memory = TagMemory(3, dropout=0.0)
    memory.grow(["fox", "sea"])
    with torch.no_grad():
        memory.vectors.copy_(torch.arange(6.0).view(2, 3))
    memory.grow(["sea", "horn", "fox"])
    assert memory.names == ("fox", "sea", "horn")
    assert memory.rows(["horn", "bread", "fox"]).tolist() == [2, NONE, 0]
    assert memory.vectors.tolist() == [[0, 1, 2], [3, 4, 5], [0, 0, 0]]


def test_growing_by_nothing_new_leaves_the_parameter_alone() -> None:
    memory = TagMemory(3, dropout=0.0)
    memory.grow(["fox"])
    before = memory.vectors
    memory.grow(["fox"])
    assert memory.vectors is before


def test_only_known_tags_are_moved() -> None:
    memory = TagMemory(2, dropout=0.0)
    memory.grow(["fox"])
    torch.nn.init.ones_(memory.vectors)
    words = torch.zeros(2, 2)
    assert memory(words, memory.rows(["sea", "fox"])).tolist() == [[0, 0], [1, 1]]


def test_in_training_memories_are_left_out_at_their_rate() -> None:
    memory = TagMemory(1, dropout=0.3)
    memory.grow(["fox"])
    torch.nn.init.ones_(memory.vectors)
    torch.manual_seed(0)
    answers = memory.train()(torch.zeros(4000, 1), torch.zeros(4000, dtype=torch.int64))
    assert set(answers.flatten().tolist()) == {0.0, 1.0}
    assert answers.mean().item() == pytest.approx(0.7, abs=0.03)
    assert memory.eval()(torch.zeros(5, 1), torch.zeros(5, dtype=torch.int64)).tolist() == [[1.0]] * 5


def test_an_untrained_memory_changes_nothing() -> None:
    plain, remembering = tiny_tower(), tiny_tower(tag={"memory": True})
    remembering.memory.grow(TAGS)
    expected = plain.encode_tags(collate_texts(plain.tag_features(TAGS)))
    known = remembering.memory.rows(TAGS)
    found = remembering.encode_tags(collate_texts(remembering.tag_features(TAGS), known))
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_the_vectors_have_a_rate_and_a_decay_of_their_own() -> None:
    tower = tiny_tower(tag={"memory": True}, train={"memory_learning_rate": 0.5, "memory_weight_decay": 0.25})
    tower.memory.grow(TAGS)
    groups = tower.parameter_groups(tower.settings.train)
    (own,) = (group for group in groups if group["lr"] == 0.5)
    assert own["weight_decay"] == 0.25
    assert [id(parameter) for parameter in own["params"]] == [id(tower.memory.vectors)]
