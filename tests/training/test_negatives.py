"""Whichever way negatives are found, none belongs to the video that it is held against."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from tagtower.config import settings_from
from tagtower.training.losses import NO_NEGATIVE
from tagtower.training.mining import OwnTags, build_miner
from tagtower.training.negatives import gather_tags, mine_in_batch, mines_by_round
from tagtower.training.plan import PlannedStep, TrainingPlan
from tagtower.training.randomness import generator

TAGS = 12
OWN = OwnTags.from_lists([[0, 1], [1, 2, 3], [4], [5, 6, 7, 8], [9, 10]])


def planned(**tables: dict[str, object]) -> PlannedStep:
    return TrainingPlan(len(OWN), settings_from(tables), 0).steps_between(0, 1, OWN)[0]


def own_of(step: PlannedStep, row: int) -> set[int]:
    return set(step.own.tags[step.own.offsets[row] : step.own.offsets[row + 1]].tolist())


@pytest.mark.parametrize(
    ("loss", "scope"),
    [
        ("softmax", "library"),
        ("softmax", "batch"),
        ("infonce", "batch"),
        ("sigmoid", "library"),
        ("sigmoid", "batch"),
    ],
)
def test_a_loss_that_weighs_many_is_allowed_everything_in_scope_but_own_tags(loss, scope):
    settings = settings_from({"loss": {"name": loss, "negatives": 8}, "negatives": {"scope": scope}})
    step = planned()
    chosen = gather_tags(step, None, torch.arange(TAGS), settings, generator(0, "test"))
    tags = chosen.tags.tolist()
    assert set(step.positives.tolist()) <= set(tags)
    held = {tag for row in chosen.targets.allowed for tag in torch.tensor(tags)[row].tolist()}
    if scope == "batch":
        assert set(tags) == set(step.positives.tolist())
    else:
        assert len(held) <= 8
    for row in range(len(step.videos)):
        assert not own_of(step, row) & set(torch.tensor(tags)[chosen.targets.allowed[row]].tolist())


def test_mined_negatives_are_carried_over():
    settings = settings_from({"loss": {"name": "triplet"}})
    step = planned()
    mined = torch.full_like(step.positives, 11)
    mined[0] = NO_NEGATIVE
    chosen = gather_tags(step, mined, torch.arange(TAGS), settings, generator(0, "test"))
    assert chosen.targets.negatives[0] == NO_NEGATIVE
    assert (chosen.tags[chosen.targets.negatives[1:]] == 11).all()
    assert (chosen.tags[chosen.targets.positives] == step.positives).all()


@pytest.mark.parametrize("loss", ["triplet", "softmax", "infonce", "sigmoid"])
def test_a_tag_that_may_be_right_is_neither_positive_nor_negative(loss):
    """Beside its own tags every video is barred from tags 10 and 11, unless they are its own."""
    lists = [OWN.tags[OWN.offsets[row] : OWN.offsets[row + 1]].tolist() for row in range(len(OWN))]
    barred = OwnTags.from_lists([[*own, 10, 11] for own in lists])
    settings = settings_from({"loss": {"name": loss}, "negatives": {"scope": "batch"}})
    step = TrainingPlan(len(OWN), settings, 0).steps_between(0, 1, OWN, barred)[0]
    chosen = gather_tags(step, None, torch.arange(TAGS), settings, generator(0, "test"))
    targets = chosen.targets
    for row, positive in zip(targets.videos.tolist(), targets.positives.tolist(), strict=True):
        assert int(chosen.tags[positive]) in lists[int(step.videos[row])]
    if loss == "triplet":
        torch.manual_seed(0)
        vectors = torch.randn(len(step.videos), 4), torch.randn(len(chosen.tags), 4)
        targets = mine_in_batch(chosen, *vectors, build_miner(settings), generator(0, "test"))
        held = set(chosen.tags[targets.negatives].tolist())
    else:
        held = set(chosen.tags[targets.allowed.any(0)].tolist())
    assert held
    assert not held & {10, 11}


@pytest.mark.parametrize("rule", ["target-distance", "semi-hard", "hard", "random"])
def test_in_the_batch_negatives_are_other_videos_tags(rule):
    settings = settings_from({"loss": {"name": "triplet"}, "negatives": {"rule": rule, "scope": "batch"}})
    step = planned()
    chosen = gather_tags(step, None, torch.arange(TAGS), settings, generator(0, "test"))
    torch.manual_seed(0)
    videos, tags = (
        F.normalize(torch.randn(len(step.videos), 4)),
        F.normalize(torch.randn(len(chosen.tags), 4)),
    )
    targets = mine_in_batch(chosen, videos, tags, build_miner(settings), generator(0, "test"))
    for row, negative in zip(targets.videos.tolist(), targets.negatives.tolist(), strict=True):
        assert negative != NO_NEGATIVE
        assert int(chosen.tags[negative]) not in own_of(step, row)


@pytest.mark.parametrize(
    ("loss", "scope", "expected"),
    [
        ("triplet", "auto", True),
        ("triplet", "library", True),
        ("triplet", "batch", False),
        ("softmax", "library", False),
        ("infonce", "auto", False),
    ],
)
def test_only_triplets_over_the_library_are_mined_by_round(loss, scope, expected):
    settings = settings_from({"loss": {"name": loss}, "negatives": {"scope": scope}})
    assert mines_by_round(settings) is expected
