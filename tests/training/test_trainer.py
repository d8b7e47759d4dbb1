"""The loop learns, reads the library afresh, keeps the best weights, and refuses what cannot be learnt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tagtower.errors import ConfigError, TrainingError
from tagtower.library.tags import TagLibrary
from tagtower.records import Tag
from tagtower.towers import VideoFeatures
from tagtower.training.batches import RankedTags, TagBatches
from tagtower.training.dataset import MemoryExamples, TrainingData
from tagtower.training.events import CheckpointWritten, EpochDone, RoundMined, StepDone, Stopped
from tagtower.training.mining import OwnTags
from tagtower.training.own_tags import own_tags
from tagtower.training.rounds import Snapshot
from tagtower.training.weights import copy_weights


@pytest.mark.parametrize(
    ("loss", "rule", "scope"),
    [
        ("triplet", "target-distance", "library"),
        ("triplet", "target-distance", "batch"),
        ("triplet", "semi-hard", "library"),
        ("triplet", "semi-hard", "batch"),
        ("triplet", "hard", "library"),
        ("triplet", "hard", "batch"),
        ("triplet", "random", "library"),
        ("softmax", "random", "library"),
        ("softmax", "random", "used"),
        ("softmax", "random", "batch"),
        ("infonce", "random", "batch"),
        ("sigmoid", "random", "library"),
        ("sigmoid", "random", "used"),
        ("sigmoid", "random", "batch"),
    ],
)
def test_every_loss_and_rule_learns(problem, loss, rule, scope):
    result = problem(loss={"name": loss}, negatives={"rule": rule, "scope": scope}).fit()
    before, best = result.history[0].metrics.ndcg_at_10, result.best.metrics.ndcg_at_10
    assert before < 0.3
    assert best > before + 0.2


def test_titles_alone_teach_where_there_are_no_labels(problem):
    """The titles name the tags, and the vectors have to learn what they say; labels still validate."""
    ready = problem(
        positives={"source": "similarity", "similarity": "words", "below": 0.6}, loss={"name": "softmax"}
    )

    def unlabelled(examples):
        return MemoryExamples(
            [()] * len(examples),
            examples.listed_features,
            [" and ".join(tags) for tags in examples.listed_tags],
        )

    train = unlabelled(ready.data.train)
    result = ready.fit(data=TrainingData(train, unlabelled(ready.data.val)))
    assert result.best.metrics.ndcg_at_10 > result.history[0].metrics.ndcg_at_10 + 0.2
    assert result.rounds[0].videos == len(train)
    by_labels = ready.fit(data=TrainingData(train, ready.data.val))
    assert by_labels.history[-1].metrics == result.history[-1].metrics


def test_euclidean_distance_learns(problem):
    result = problem(distance={"kind": "euclidean"}, loss={"name": "triplet", "margin": 1.0}).fit()
    assert result.best.metrics.ndcg_at_10 > result.history[0].metrics.ndcg_at_10 + 0.2


@pytest.mark.parametrize("loss", ["triplet", "softmax", "infonce"])
def test_binary_codes_learn(problem, loss):
    """Validation looks at the bits themselves, not at what they are trained through."""
    codes = {"distance": {"kind": "hamming"}, "fusion": {"width": 64}, "loss": {"name": loss}}
    result = problem(**codes).fit()
    assert result.best.metrics.ndcg_at_10 > result.history[0].metrics.ndcg_at_10 + 0.2


def test_a_run_is_repeated_exactly(problem):
    runs = []
    for disturbance in range(2):
        torch.manual_seed(disturbance)
        ready = problem(train={"epochs": 2})
        tower = ready.tower()
        ready.fit(tower)
        runs.append(copy_weights(tower))
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])


def test_the_callers_random_numbers_are_left_alone(problem):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    problem(train={"epochs": 1}).fit()
    assert torch.equal(torch.rand(3), expected)


def test_the_untrained_model_is_a_candidate(problem):
    """A rate that does harm leaves the model as it was."""
    ready = problem(train={"learning_rate": 5.0, "clip_norm": 1000.0, "epochs": 3, "warmup": 0.0})
    learnt = ready.tower()
    problem(train={"epochs": 3}).fit(learnt)
    before = copy_weights(learnt)
    result = ready.fit(learnt)
    assert result.best.epoch == 0
    assert all(torch.equal(before[name], value) for name, value in copy_weights(learnt).items())


def test_the_model_ends_with_the_weights_of_its_best_epoch(problem):
    ready = problem(train={"epochs": 4})
    tower = ready.tower()
    result = ready.fit(tower)
    assert ready.fit(tower).history[0].metrics == result.best.metrics
    assert not tower.training


def test_the_last_weights_are_kept_on_request(problem):
    """A rate that does harm is followed to its end."""
    harm = {
        "learning_rate": 5.0,
        "clip_norm": 1000.0,
        "epochs": 3,
        "warmup": 0.0,
        "patience": 1,
        "keep": "last",
    }
    result = problem(train=harm).fit()
    assert result.best.epoch == 3
    assert result.stopped == "finished"


def test_weights_between_the_first_and_the_trained_are_those_validated_and_kept(problem):
    ready, whole = problem(train={"epochs": 2, "interpolate": 0.5}), problem(train={"epochs": 2})
    tower, trained = ready.tower(), whole.tower()
    first = copy_weights(tower)
    result = ready.fit(tower)
    whole.fit(trained)
    end, kept = copy_weights(trained), copy_weights(tower)
    assert result.best.epoch == 2
    assert all(torch.allclose(kept[name], (first[name] + end[name]) / 2, atol=1e-6) for name in kept)
    assert ready.fit(tower).history[0].metrics == result.best.metrics


def test_tags_that_no_video_has_are_candidates_of_the_library_alone(problem):
    ready = problem()
    library = TagLibrary.from_tags([*ready.library.tags, Tag("borne by none")])
    own = own_tags(ready.data.train, library)
    tags = TagBatches([np.zeros(2, np.float32)] * len(library), torch.device("cpu"))
    snapshot = Snapshot(library, tags, own, own, RankedTags(tags), OwnTags.from_lists([()] * len(own)))
    assert len(library) - 1 in snapshot.candidates("library")
    assert len(library) - 1 not in snapshot.candidates("used")


def test_a_warm_start_sets_out_from_given_weights(problem):
    ready = problem()
    tower = ready.tower()
    first = ready.fit(tower)
    second = ready.fit(tower)
    assert second.history[0].metrics == first.best.metrics
    assert second.best.metrics.ndcg_at_10 >= first.best.metrics.ndcg_at_10


def test_patience_ends_training(problem):
    result = problem(train={"epochs": 50, "patience": 2, "learning_rate": 0.05}).fit()
    assert result.stopped == "patience"
    assert len(result.history) == result.best.epoch + 3


def test_a_tag_that_arrives_during_training_takes_part(problem):
    ready = problem(train={"epochs": 3})
    early = TagLibrary.from_tags(tag for tag in ready.library.tags if tag.text != "tag 7")
    libraries = [early, ready.library, ready.library]
    result = ready.fit(tag_source=iter(libraries).__next__)
    assert [record.library for record in result.rounds] == [library.version for library in libraries]
    assert [record.tags for record in result.rounds] == [39, 40, 40]
    assert "tag 7" in result.training_tags
    assert result.rounds[1].videos >= result.rounds[0].videos
    assert ready.calls == [39, 1], "a tag's features are made once"


def test_scores_compare_over_one_library_only(problem):
    """A library that grows makes ranking harder; the best weights are measured anew, not left ahead for good."""
    ready = problem(train={"epochs": 4, "patience": 1})
    few = TagLibrary.from_tags(ready.library.tags[:3])
    libraries = iter([few, ready.library, ready.library, ready.library])
    result = ready.fit(tag_source=libraries.__next__)
    assert result.history[1].metrics.ndcg_at_10 > result.best.metrics.ndcg_at_10
    assert result.best.epoch > 1


def test_rounds_may_be_shorter_or_longer_than_an_epoch(problem):
    for refresh, starts in ((4, [0, 4, 8, 12, 16]), (15, [0, 15])):
        result = problem(loss={"name": "triplet"}, negatives={"refresh": refresh}, train={"epochs": 2}).fit()
        assert [record.step for record in result.rounds] == starts
        assert all(record.mining is not None for record in result.rounds)
        assert [record.step for record in result.history] == [0, 10, 20]


def test_events_tell_the_whole_story(problem, tmp_path):
    events = []
    problem(loss={"name": "triplet"}, train={"epochs": 2}).fit(state_folder=tmp_path, on_event=events.append)
    kinds = [type(event) for event in events]
    one_epoch = [*[StepDone] * 10, EpochDone, CheckpointWritten]
    assert kinds == [RoundMined, EpochDone, *one_epoch, RoundMined, *one_epoch, Stopped]
    steps = [event for event in events if isinstance(event, StepDone)]
    assert [step.step for step in steps] == list(range(1, 21))
    assert steps[-1].seconds_left == 0.0
    assert all(0 <= step.active <= 1 and step.loss >= 0 and step.gradient_norm >= 0 for step in steps)
    assert events[0].round.mining.pairs > 0


def test_videos_whose_tags_are_all_unknown_are_passed_over(problem):
    ready = problem(train={"epochs": 2, "batch_size": 4})
    train = ready.data.train
    tags = [row if place >= 160 else ("never heard of",) for place, row in enumerate(train.listed_tags)]
    data = TrainingData(MemoryExamples(tags, train.listed_features), ready.data.val)
    assert ready.fit(data=data).rounds[0].videos == 160


def test_a_loss_that_is_not_finite_says_what_to_change(problem):
    ready = problem()
    broken = [VideoFeatures(text=np.full(24, np.nan, np.float32)) for _ in range(len(ready.data.train))]
    data = TrainingData(MemoryExamples(ready.data.train.listed_tags, broken), ready.data.val)
    tower = ready.tower()
    before = copy_weights(tower)
    with pytest.raises(TrainingError, match=r"diverged.*\n.*train\.learning_rate"):
        ready.fit(tower, data=data, settings=problem(loss={"name": "softmax"}).settings)
    assert all(torch.equal(before[name], value) for name, value in copy_weights(tower).items())


def test_an_offset_that_leaves_no_hinge_is_refused_at_the_start(problem):
    ready = problem(loss={"name": "triplet", "margin": 0.05}, negatives={"offset": 0.05, "ceiling": 0.3})
    with pytest.raises(ConfigError, match="no gradient"):
        ready.fit(tag_source=lambda: pytest.fail("nothing may be read before the refusal"))


def test_zero_hinges_leave_the_weights_where_they_are(problem):
    """Why it is refused: where every positive is near, what `allow_zero_hinge` lets through learns nothing."""
    still = {"train": {"epochs": 1, "weight_decay": 0.0}}
    tower = problem().tower()
    problem(loss={"name": "softmax"}).fit(tower)
    before = copy_weights(tower)
    result = problem(
        loss={"name": "triplet", "margin": 0.05},
        negatives={"offset": 0.05, "ceiling": 2.0, "allow_zero_hinge": True},
        **still,
    ).fit(tower)
    assert result.rounds[0].mining.active_hinges == 0.0
    assert result.history[1].loss == 0.0
    assert all(torch.equal(before[name], value) for name, value in copy_weights(tower).items())


@pytest.mark.parametrize(
    ("tags", "message"),
    [(["tag 1"], "one tag"), (["stranger", "alien"], "None of the 320 training videos")],
)
def test_a_library_that_teaches_nothing_is_refused(problem, tags, message):
    ready = problem()
    ready.tag_vectors.update({text: np.ones(24, np.float32) for text in ("stranger", "alien")})
    with pytest.raises(TrainingError, match=message):
        ready.fit(tag_source=lambda: TagLibrary.from_tags(Tag(text) for text in tags))


def test_a_validation_split_without_known_tags_is_refused(problem):
    ready = problem()
    val = MemoryExamples([("alien",)] * 80, ready.data.val.listed_features)
    with pytest.raises(TrainingError, match="validation videos"):
        ready.fit(data=replace(ready.data, val=val))


def test_an_empty_training_split_is_refused(problem):
    ready = problem()
    with pytest.raises(TrainingError, match="no training video"):
        ready.fit(data=replace(ready.data, train=MemoryExamples([], [])))
