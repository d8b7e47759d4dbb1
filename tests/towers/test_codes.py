from __future__ import annotations

import pytest
import torch

from tagtower.towers import VideoFeatures, collate_texts, collate_videos
from tagtower.towers.codes import binary, quantisation, relaxed
from tagtower.towers.distances import DISTANCES

from .conftest import TAGS, random_video, tiny_tower


def vectors() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(5, 40)


def test_a_code_is_the_sign_and_zero_is_positive() -> None:
    assert binary(torch.tensor([-0.1, 0.0, 7.0])).tolist() == [-1.0, 1.0, 1.0]


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_sharper_the_nearer_to_the_sign_at_any_scale(scale: float) -> None:
    gaps = [(relaxed(scale * vectors(), s) - binary(vectors())).abs().mean() for s in (1.0, 10.0, 1e4)]
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 1e-2
    torch.testing.assert_close(relaxed(scale * vectors(), 1.0), relaxed(vectors(), 1.0), atol=1e-3, rtol=0)


def test_the_penalty_is_zero_at_codes_and_draws_components_towards_them() -> None:
    assert quantisation(binary(vectors())) == 0
    values = torch.tensor([[0.4, -0.4]], requires_grad=True)
    quantisation(values).backward()
    assert values.grad[0, 0] < 0 < values.grad[0, 1]


def test_the_relaxed_distance_is_what_drawn_bits_would_differ_by_on_average() -> None:
    torch.manual_seed(0)
    left, right = relaxed(torch.randn(1, 12), 1.0), relaxed(torch.randn(1, 12), 1.0)
    bits = [torch.rand(20_000, 12) < (1 + codes) / 2 for codes in (left, right)]
    drawn = (bits[0] != bits[1]).float().mean()
    assert float(DISTANCES["hamming"](left, right)) == pytest.approx(float(drawn), abs=5e-3)


def test_a_tower_answers_in_bits_and_trains_between_them() -> None:
    tower = tiny_tower(distance={"kind": "hamming"}, fusion={"width": 24, "modality_dropout": 0.0})
    video = random_video(tower)
    batch = collate_videos([video, VideoFeatures(text=video.text)], tower.modalities)
    tags = collate_texts(tower.tag_features(TAGS))
    found = tower.encode_videos(batch)
    for codes in (found.vectors, found.experts[found.present], tower.encode_tags(tags)):
        assert set(codes.unique().tolist()) == {-1.0, 1.0}
    assert not found.experts[~found.present].any()
    tower.train()
    between = tower.encode_videos(batch)
    for codes in (between.vectors, between.experts[between.present], tower.encode_tags(tags)):
        assert (codes.abs() < 1).all()
    assert not between.experts[~between.present].any()
