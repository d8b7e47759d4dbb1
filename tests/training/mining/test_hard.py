from __future__ import annotations

import pytest
import torch

from tagtower.config.sections import Settings
from tagtower.errors import TrainingError
from tagtower.towers.distances import DISTANCES
from tagtower.training.losses import NO_NEGATIVE
from tagtower.training.mining import OwnTags, build_miner
from tagtower.training.mining import tiles as tiles_module


def miner(kind: str = "cosine"):
    return build_miner(
        Settings.model_validate(
            {"negatives": {"rule": "hard"}, "distance": {"kind": kind}, "loss": {"margin": 0.3}}
        )
    )


def problem(videos: int = 40, tags: int = 90):
    random = torch.Generator().manual_seed(0)
    own = [torch.randperm(tags, generator=random)[: 1 + video % 3].tolist() for video in range(videos)]
    aliases = [torch.randperm(tags, generator=random)[: 30 * (video % 2)].tolist() for video in range(videos)]
    pairs = torch.tensor([(video, tag) for video, row in enumerate(own) for tag in row])
    return (
        torch.randn(videos, 6, generator=random),
        torch.randn(tags, 6, generator=random),
        pairs[torch.randperm(len(pairs), generator=random)],
        OwnTags.from_lists(own, aliases),
    )


@pytest.mark.parametrize("kind", ["cosine", "euclidean"])
@pytest.mark.parametrize("tile_bytes", [tiles_module.TILE_BYTES, 4 * 90 * 7])
def test_agrees_with_a_triple_loop_however_the_work_is_cut(kind, tile_bytes, monkeypatch) -> None:
    monkeypatch.setattr(tiles_module, "TILE_BYTES", tile_bytes)
    videos, tags, pairs, own = problem()
    mined = miner(kind)(videos, tags, pairs, own, torch.Generator())
    distances = DISTANCES[kind](videos, tags)
    active = own_dropped = alias_dropped = 0
    for pair, (video, positive) in enumerate(pairs.tolist()):
        mine = own.take(torch.tensor([video]))
        found, least = NO_NEGATIVE, float("inf")
        for tag in range(len(tags)):
            if tag not in mine.tags.tolist() and float(distances[video, tag]) < least:
                found, least = tag, float(distances[video, tag])
        assert int(mined.negatives[pair]) == found
        active += float(distances[video, positive]) - least + 0.3 > 0
        for tag, by_alias in zip(mine.tags.tolist(), mine.by_alias.tolist(), strict=True):
            if tag != positive and float(distances[video, tag]) < least:
                own_dropped, alias_dropped = own_dropped + (not by_alias), alias_dropped + by_alias
    report = mined.report
    assert report.active_hinges == pytest.approx(active / len(pairs))
    assert (report.dropped_own, report.dropped_alias) == (own_dropped, alias_dropped)
    assert own_dropped > 0
    assert alias_dropped > 0


def test_of_tags_that_tie_it_takes_the_first_and_of_a_video_that_owns_all_none() -> None:
    videos = torch.eye(2)
    tags = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    pairs = torch.tensor([[0, 0], [1, 1]])
    mined = miner()(videos, tags, pairs, OwnTags.from_lists([[0], [0, 1, 2]]), torch.Generator())
    assert mined.negatives.tolist() == [1, NO_NEGATIVE]
    assert mined.report.without == 1


def test_a_space_that_is_one_point_is_refused_and_told_what_to_do() -> None:
    _, _, pairs, own = problem()
    point = torch.ones(1, 6)
    with pytest.raises(TrainingError, match=r"one point(.|\n)*semi-hard"):
        miner()(point.expand(40, 6), point.expand(90, 6), pairs, own, torch.Generator())


def test_vectors_that_are_not_finite_are_refused() -> None:
    videos, tags, pairs, own = problem()
    videos[3, 2] = torch.nan
    with pytest.raises(TrainingError, match="NaN"):
        miner()(videos, tags, pairs, own, torch.Generator())
