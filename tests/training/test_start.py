"""Training from a fitted start: it knows before the first step, and touches nothing where nothing is pretrained."""

from __future__ import annotations

import pytest
import torch

from tagtower.training.events import HeadsFitted
from tagtower.training.weights import copy_weights


def start_of(run) -> tuple[list[HeadsFitted], float]:
    """What a training of one epoch tells of its start, and its validation nDCG@10 before the first step."""
    told: list[HeadsFitted] = []
    result = run.fit(on_event=lambda event: told.append(event) if isinstance(event, HeadsFitted) else None)
    return told, result.history[0].metrics.ndcg_at_10


def test_a_fitted_start_knows_before_the_first_step(problem):
    _, plain = start_of(problem(videos=60, train={"epochs": 1}))
    told, fitted = start_of(problem(videos=60, train={"epochs": 1, "start": "fitted"}))
    assert fitted > plain + 0.3
    assert told[0].report.videos == 60
    # The estimate is made without the validation videos and comes near what they show.
    assert told[0].report.heads["text"] == pytest.approx(fitted, abs=0.1)


def test_a_fitted_start_is_repeated_exactly(problem):
    runs = []
    for _ in range(2):
        ready = problem(videos=40, train={"epochs": 1, "start": "fitted"})
        tower = ready.tower()
        ready.fit(tower)
        runs.append(copy_weights(tower))
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])


@pytest.mark.parametrize("kind", ["concat", "add", "multiply"])
def test_without_a_gate_the_heads_alone_are_fitted(problem, kind):
    changes = {"fusion": {"kind": kind}, "train": {"epochs": 1, "start": "fitted"}}
    told, fitted = start_of(problem(videos=60, **changes))
    assert told[0].report.gate == {}
    assert told[0].report.heads["text"] == pytest.approx(fitted, abs=0.1)


def test_what_is_no_angle_is_not_fitted(problem):
    changes = {"distance": {"kind": "euclidean"}, "loss": {"name": "triplet", "margin": 1.0}}
    plain = start_of(problem(videos=60, train={"epochs": 1}, **changes))
    assert start_of(problem(videos=60, train={"epochs": 1, "start": "fitted"}, **changes)) == plain
    assert plain[0] == []


def test_what_is_trained_from_scratch_is_not_fitted(job, tmp_path):
    from tagtower.usecases.train import train

    told: list[HeadsFitted] = []
    train(
        job.manifest,
        job.tags,
        tmp_path / "model",
        job.settings("train.epochs=1", "train.start=fitted"),
        on_event=lambda event: told.append(event) if isinstance(event, HeadsFitted) else None,
    )
    assert told == []


@pytest.mark.parametrize("temporal", ["none", "tsm"])
def test_a_backbone_that_will_be_trained_is_fitted_to_as_if_it_were_frozen(
    job, resnet_folder, temporal, tmp_path
):
    from tagtower.usecases.train import train

    told: dict[str, list[HeadsFitted]] = {"frozen": [], "finetune": []}
    for backbones, heard in told.items():
        train(
            job.manifest,
            job.tags,
            tmp_path / backbones,
            job.settings(
                f"image.encoder={resnet_folder}",
                f"image.temporal={temporal}",
                "audio.frontend=none",
                "text.encoder=none",
                "train.epochs=1",
                "train.start=fitted",
                f"train.backbones={backbones}",
            ),
            on_event=lambda event, heard=heard: (
                heard.append(event) if isinstance(event, HeadsFitted) else None
            ),
        )
    (frozen,), (tuned,) = told.values()
    assert frozen.report.heads.keys() == {"image"}
    assert tuned.report.heads["image"] == pytest.approx(frozen.report.heads["image"], abs=1e-4)
    assert tuned.report.gate == pytest.approx(frozen.report.gate, abs=1e-4)


def test_descriptors_know_without_training_and_are_fitted_to(job, tmp_path):
    from tagtower.usecases.train import train

    told: list[HeadsFitted] = []
    train(
        job.manifest,
        job.tags,
        tmp_path / "model",
        job.settings(
            "image.encoder=color",
            "audio.frontend=none",
            "text.encoder=none",
            "train.epochs=1",
            "train.start=fitted",
        ),
        on_event=lambda event: told.append(event) if isinstance(event, HeadsFitted) else None,
    )
    assert [one.report.heads.keys() for one in told] == [{"image"}]
