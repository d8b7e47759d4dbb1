"""The ranking part of a model folder: the same answers after reading it again, and damage told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tagtower.config import RankingSettings
from tagtower.errors import ModelError
from tagtower.ranking.calibration import fit_calibration
from tagtower.ranking.features import FEATURES
from tagtower.ranking.folder import Ranking, load_ranking, save_ranking
from tagtower.ranking.learned import train_ranker
from tagtower.ranking.order import ByRanker


@pytest.fixture
def ranking(world) -> Ranking:
    rng = np.random.default_rng(0)
    values = rng.random((900, len(FEATURES))).astype(np.float32)
    relevant = values[:, FEATURES.index("mixed_votes")] > 0.8
    ranker = train_ranker(values, np.repeat(np.arange(30), 30), relevant, RankingSettings(trees=5), seed=0)
    scores = ranker(values)
    calibration = fit_calibration(scores, relevant, np.zeros(900, bool), np.ones(900, bool))
    return Ranking(ranker, world.neighbours, {"hybrid": calibration})


def answer(world, ranking: Ranking):
    source = replace(world, neighbours=ranking.neighbours).source()
    order = ByRanker(source, ranking.ranker, ranking.calibrations["hybrid"])
    (found,) = order(world.near("chess")[None], [{"title": "chess and soup"}])
    return found


def test_a_folder_gives_the_same_answers_to_the_bit(world, ranking, tmp_path):
    (tmp_path / "ranking").mkdir()
    save_ranking(tmp_path / "ranking", ranking)
    before, after = answer(world, ranking), answer(world, load_ranking(tmp_path / "ranking"))
    np.testing.assert_array_equal(after.scores, before.scores)
    np.testing.assert_array_equal(after.probabilities, before.probabilities)
    assert after.evidence(0, 4) == before.evidence(0, 4)
    suffixes = {file.suffix for file in (tmp_path / "ranking").iterdir()}
    assert suffixes == {".json", ".safetensors"}


def test_nothing_is_written_where_there_is_nothing(tmp_path):
    save_ranking(tmp_path / "ranking", Ranking())
    assert not (tmp_path / "ranking").exists()
    found = load_ranking(tmp_path / "ranking")
    assert (found.ranker, found.neighbours, dict(found.calibrations)) == (None, None, {})


@pytest.mark.parametrize("name", ["neighbours.json", "calibration.json", "neighbours.safetensors"])
def test_damage_is_told(ranking, tmp_path, name):
    save_ranking(tmp_path, ranking)
    (tmp_path / name).write_bytes(b"{")
    with pytest.raises(ModelError, match="cannot be read"):
        load_ranking(tmp_path)


def test_a_ranker_without_its_neighbours_is_refused(ranking, tmp_path):
    save_ranking(tmp_path, ranking)
    (tmp_path / "neighbours.json").unlink()
    with pytest.raises(ModelError, match="not the labelled videos"):
        load_ranking(tmp_path)
