"""Calibrating anew: other probabilities, the same vectors and order, and a folder that is never half."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tagtower.errors import ManifestError
from tagtower.library.tagfile import read_tag_library
from tagtower.ranking.folder import CALIBRATION, load_ranking
from tagtower.records import Problems, Video
from tagtower.towers import load_model
from tagtower.towers.folder import RANKING
from tagtower.training.manifest import read_manifest
from tagtower.usecases.calibrate import CalibrateReport, calibrate
from tagtower.usecases.label import label
from tagtower.usecases.session import open_session


@pytest.fixture
def model(titled_model, tmp_path) -> Path:
    return shutil.copytree(titled_model, tmp_path / "model")


@pytest.fixture
def library(titled):
    return read_tag_library(titled[1], Problems())


@pytest.fixture
def examples(titled):
    return read_manifest(titled[0], problems=Problems()).examples


def fit(model, examples, library, split) -> CalibrateReport:
    with open_session(model, bypass_store=True) as session:
        return calibrate(session, examples, library, split=split)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()
    }


def answers(model, library):
    with open_session(model, bypass_store=True) as session:
        (answer,) = label(session, [Video("x", title="a song at the sea")], library)
        return [(tag.tag, tag.distance) for tag in answer.tags], [tag.score for tag in answer.tags]


def test_other_videos_give_other_probabilities_and_nothing_else(model, examples, library):
    before, tags, scores = contents(model), *answers(model, library)
    # Half of the videos lack their nickname: a tag that the order puts first is right less often than in training.
    stricter = [replace(one, tags=one.tags[: 2 + place % 2]) for place, one in enumerate(examples)]
    report = fit(model, stricter, library, "test")
    assert {name for name, data in contents(model).items() if before.get(name) != data} == {
        f"{RANKING}/{CALIBRATION}",
        "config.json",
    }
    assert contents(model).keys() == before.keys()
    loaded = load_model(model)
    assert (loaded.vector_fingerprint, loaded.model_fingerprint) == (report.vectors, report.after)
    assert report.before != report.after
    assert report.videos == 20
    assert all(one.fitted and one.hits == 50 and one.before is not None for one in report.orders.values())
    again, others = answers(model, library)
    assert again == tags
    assert max(others) < max(scores)


def test_the_videos_of_training_give_the_calibration_of_training(model, examples, library):
    trained = load_ranking(model / RANKING).calibrations
    fit(model, examples, library, "val")
    found = load_ranking(model / RANKING).calibrations
    assert found.keys() == trained.keys() == {"tower", "hybrid"}
    for name, one in found.items():
        at = trained[name].known.scores
        np.testing.assert_allclose(one.known(at), trained[name].known(at), atol=1e-3)


def test_one_calibration_twice_is_one_model(model, examples, library):
    first = fit(model, examples, library, "test")
    assert fit(model, examples, library, "test").after == first.after


def test_too_few_videos_leave_the_model_as_it_is(model, examples, library):
    before = contents(model)
    few = [one for one in examples if one.split == "test"][:5]
    with pytest.raises(ManifestError, match="15 right tags"):
        fit(model, few, library, "test")
    assert contents(model) == before
