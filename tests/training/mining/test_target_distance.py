from __future__ import annotations

import pytest
import torch

from tagtower.config.sections import Settings
from tagtower.towers.distances import DISTANCES
from tagtower.training.losses import build_loss
from tagtower.training.mining import Mined, OwnTags, build_miner, step_tags
from tagtower.training.mining.band import Band
from tagtower.training.mining.target_distance import target_distance_miner

VIDEOS, TAGS, WIDTH = 30, 500, 12


def settings(**negatives: object) -> Settings:
    return Settings.model_validate(
        {"loss": {"margin": 0.2}, "negatives": {"rule": "target-distance", **negatives}}
    )


def mine(chosen: Settings) -> tuple[Mined, torch.Tensor, torch.Tensor, torch.Tensor, OwnTags]:
    generator = torch.Generator().manual_seed(0)
    tags = torch.randn(TAGS, WIDTH, generator=generator)
    videos = tags[:VIDEOS] + tags[1 : VIDEOS + 1] + 2 * torch.randn(VIDEOS, WIDTH, generator=generator)
    own_lists = [[video, video + 1] for video in range(VIDEOS)]
    pairs = torch.tensor([(video, tag) for video, row in enumerate(own_lists) for tag in row])
    own = OwnTags.from_lists(own_lists)
    return build_miner(chosen)(videos, tags, pairs, own, generator), videos, tags, pairs, own


@pytest.mark.parametrize(("ceiling", "below"), [("margin", 0.2), ("none", float("inf")), (0.4, 0.4)])
def test_the_band_is_what_the_settings_say(ceiling, below) -> None:
    assert target_distance_miner(settings(offset=0.07, ceiling=ceiling)).band == Band(0.07, below)


def test_a_negative_lies_beyond_the_offset_and_inside_the_margin() -> None:
    mined, videos, tags, pairs, _ = mine(settings())
    distances = DISTANCES["cosine"](videos, tags)
    gap = distances[pairs[:, 0], mined.negatives] - distances[pairs[:, 0], pairs[:, 1]]
    assert mined.report.fallback_beyond == mined.report.fallback_farthest == 0
    assert ((gap > 0.05) & (gap < 0.2)).all()
    assert mined.report.active_hinges == 1.0


def test_an_offset_at_the_margin_leaves_no_gradient() -> None:
    chosen = settings(offset=0.2, ceiling="none", allow_zero_hinge=True)
    mined, videos, tags, pairs, own = mine(chosen)
    tags.requires_grad_()
    step = step_tags(pairs[:, 0], pairs[:, 1], own, negatives=mined.negatives)
    value = build_loss(chosen)(videos, tags[step.tags], step.targets)
    value.loss.backward()
    assert mined.report.active_hinges == 0.0
    assert value.loss.item() == 0.0
    assert not tags.grad.any()


def test_the_generator_alone_decides() -> None:
    first, second = mine(settings())[0], mine(settings())[0]
    assert torch.equal(first.negatives, second.negatives)
    assert first.report == second.report


def test_the_report_counts_what_was_drawn() -> None:
    mined, *_ = mine(settings())
    report = mined.report
    assert (report.rule, report.tags, report.pairs, report.without) == (
        "target-distance",
        TAGS,
        2 * VIDEOS,
        0,
    )
    assert (
        0 < report.band.least <= report.band.p10 <= report.band.median <= report.band.p90 <= report.band.most
    )
    assert "60 pairs over 500 tags" in report.line()
    assert report.to_json()["band"]["median"] == report.band.median
