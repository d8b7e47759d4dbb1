"""Learned vectors of known tags learn what words cannot say, grow with the library, and survive an interruption."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tagtower.library.tags import TagLibrary, normalize_tag
from tagtower.records import Tag
from tagtower.towers import VideoFeatures
from tagtower.training.dataset import MemoryExamples, TrainingData
from tagtower.training.events import Event, RoundMined, StepDone
from tagtower.training.optimiser import Optimiser
from tagtower.training.weights import copy_weights, interpolate_weights, put_weights

from .test_resume import Killed, die, once


def senseless(ready):
    """The problem with tag words that say nothing: every tag has the same vector."""
    same = np.ones_like(next(iter(ready.tag_vectors.values())))
    return dict.fromkeys(ready.tag_vectors, same)


def learnt(problem, memory: bool, start: str = "plain") -> float:
    ready = problem(tag={"memory": memory}, train={"memory_learning_rate": 0.03, "start": start})
    vectors = senseless(ready)
    result = ready.fit(tag_features=lambda texts: [vectors[text] for text in texts])
    return result.best.metrics.ndcg_at_10


def test_it_learns_what_words_do_not_say(problem):
    assert learnt(problem, memory=True) > learnt(problem, memory=False) + 0.2


def test_it_learns_after_heads_were_fitted(problem):
    assert learnt(problem, memory=True, start="fitted") > learnt(problem, memory=False, start="fitted") + 0.2


def test_only_tags_of_training_videos_are_remembered(problem):
    ready = problem(tag={"memory": True})
    library = TagLibrary.from_tags([*ready.library.tags, Tag("Spare")])
    ready.tag_vectors["Spare"] = ready.tag_vectors["tag 0"]
    tower = ready.tower()
    ready.fit(tower, tag_source=lambda: library)
    used = {normalize_tag(tag) for row in range(len(ready.data.train)) for tag in ready.data.train.tags(row)}
    assert set(tower.memory.names) == used
    assert "spare" not in used
    assert tower.memory.vectors.abs().sum(1).gt(0).all()


def test_a_tag_that_arrives_during_training_gets_a_vector(problem):
    ready = problem(tag={"memory": True}, train={"epochs": 2, "keep": "last"})
    early = TagLibrary.from_tags(ready.library.tags[:-1])
    late = normalize_tag(ready.library.texts[-1])
    tower = ready.tower()
    sizes = []

    def listen(event: Event) -> None:
        if isinstance(event, RoundMined):
            sizes.append(len(tower.memory.names))

    ready.fit(tower, tag_source=iter([early, ready.library]).__next__, on_event=listen)
    assert sizes == [len(early), len(ready.library)]
    assert tower.memory.names[-1] == late
    assert tower.memory.vectors[-1].abs().sum() > 0


@pytest.mark.parametrize("step", [4, 13])
def test_going_on_reaches_the_same_vectors_though_the_library_grew(problem, tmp_path, step):
    ready = problem(tag={"memory": True}, train={"epochs": 3, "checkpoint_seconds": 1e-9, "interpolate": 0.9})
    early = TagLibrary.from_tags(ready.library.tags[:-2])
    libraries = [early, ready.library, ready.library]
    whole = ready.tower()
    ready.fit(whole, tag_source=iter(libraries).__next__)
    stop = once(lambda event: isinstance(event, StepDone) and event.step == step, die)
    source = iter(libraries)
    with pytest.raises(Killed):
        ready.fit(state_folder=tmp_path, on_event=stop, tag_source=source.__next__)
    resumed = ready.tower()
    ready.fit(resumed, state_folder=tmp_path, resume=True, tag_source=source.__next__)
    assert resumed.memory.names == whole.memory.names
    assert all(torch.equal(copy_weights(whole)[name], value) for name, value in copy_weights(resumed).items())


def test_weights_from_before_a_tag_came_have_no_vector_for_it(problem):
    tower = problem(tag={"memory": True}).tower()
    tower.memory.grow(["old"])
    torch.nn.init.ones_(tower.memory.vectors)
    before = copy_weights(tower)
    tower.memory.grow(["new"])
    torch.nn.init.constant_(tower.memory.vectors, 3.0)
    between = interpolate_weights(before, copy_weights(tower), 0.5)["memory.vectors"]
    assert between[:, 0].tolist() == [2.0, 1.5]
    put_weights(tower, before)
    assert tower.memory.vectors[:, 0].tolist() == [1.0, 0.0]


def test_the_optimiser_keeps_its_moments_where_it_had_some(problem):
    ready = problem(tag={"memory": True})
    tower = ready.tower()
    tower.memory.grow(["old"])
    optimiser = Optimiser(tower, ready.settings.train, 10)
    tower.memory.vectors.grad = torch.ones_like(tower.memory.vectors)
    optimiser.step(1)
    old = tower.memory.vectors
    tower.memory.grow(["new"])
    optimiser.replace(old, tower.memory.vectors)
    moments = next(
        value for name, value in optimiser.tensors().items() if name.endswith("exp_avg") and len(value) == 2
    )
    assert moments[0].abs().gt(0).all()
    assert not moments[1].any()
    tower.memory.vectors.grad = torch.ones_like(tower.memory.vectors)
    optimiser.step(2)
    assert tower.memory.vectors[1].abs().gt(0).all()


def test_examples_without_a_memory_train_as_before(problem):
    ready = problem()
    tower = ready.tower()
    ready.fit(tower)
    assert tower.memory is None


def test_a_warm_start_keeps_the_vectors_and_adds_to_them(problem):
    ready = problem(tag={"memory": True}, train={"epochs": 1})
    tower = ready.tower()
    few = MemoryExamples([("tag 0", "tag 1")] * 8, [VideoFeatures(text=ready.tag_vectors["tag 0"])] * 8)
    ready.fit(tower, data=TrainingData(few, ready.data.val))
    assert tower.memory.names == ("tag 0", "tag 1")
    ready.fit(tower)
    assert tower.memory.names[:2] == ("tag 0", "tag 1")
    assert len(tower.memory.names) == len(ready.library)
