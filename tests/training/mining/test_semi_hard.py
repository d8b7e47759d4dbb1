from __future__ import annotations

import torch

from tagtower.config.sections import Settings
from tagtower.training.mining import RULES, OwnTags
from tagtower.training.mining.band import Band
from tagtower.training.mining.semi_hard import semi_hard_miner

SETTINGS = Settings.model_validate({"negatives": {"rule": "semi-hard"}, "loss": {"margin": 0.3}})


def test_the_band_runs_from_the_positive_to_the_margin() -> None:
    assert semi_hard_miner(SETTINGS).band == Band(0.0, 0.3)
    assert RULES["semi-hard"] is semi_hard_miner


def test_tags_as_near_as_the_positive_are_not_semi_hard() -> None:
    video = torch.tensor([[1.0, 0.0]])
    tags = torch.tensor([[0.6, 0.8], [0.6, -0.8], [1.0, 0.0], [0.5, 0.5**0.5 * 1.2247449], [-1.0, 0.0]])
    mined = semi_hard_miner(SETTINGS)(
        video, tags, torch.tensor([[0, 0]] * 50), OwnTags.from_lists([[0]]), torch.Generator().manual_seed(0)
    )
    assert set(mined.negatives.tolist()) == {3}
    assert mined.report.band.median == 1
