from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tagtower.errors import TrainingError
from tagtower.towers.distances import DISTANCES
from tagtower.training.losses import NO_NEGATIVE
from tagtower.training.mining import band as band_module
from tagtower.training.mining import tiles as tiles_module
from tagtower.training.mining.band import Band, BandDraws, draw_in_band
from tagtower.training.mining.own import OwnTags

BLOCK = 2**20


def exact_vectors(kind: str, rows: int, seed: int) -> torch.Tensor:
    """Vectors whose distances come out exactly, with many ties, in whatever order they are summed."""
    generator = torch.Generator().manual_seed(seed)
    if kind == "euclidean":
        return torch.randint(-2, 3, (rows, 4), generator=generator).float()
    return torch.randint(0, 2, (rows, 4), generator=generator).float() - 0.5  # of length 1


def oracle(kind, videos, tags, pairs, own_lists, band, uniform) -> list[tuple[int, int, str]]:
    """A loop over pairs and tags: the draw, the band's size, and how the draw came about."""
    answers = []
    for (video, positive), u in zip(pairs.tolist(), uniform.tolist(), strict=True):
        distance = [
            np.float32(DISTANCES[kind](videos[[video]], tags[[tag]]).item()) for tag in range(len(tags))
        ]
        near = distance[positive]
        low, high = near + np.float32(band.above), near + np.float32(band.below)
        others = [tag for tag in range(len(tags)) if tag not in own_lists[video]]
        inside = [tag for tag in others if low < distance[tag] < high]
        beyond = [tag for tag in others if distance[tag] > near]
        if inside:
            answers.append((inside[int(u * len(inside))], len(inside), "band"))
        elif beyond:
            answers.append((min(beyond, key=lambda tag: (distance[tag], tag)), 0, "beyond"))
        elif others:
            answers.append((min(others, key=lambda tag: (-distance[tag], tag)), 0, "farthest"))
        else:
            answers.append((NO_NEGATIVE, 0, "none"))
    return answers


def how(draws: BandDraws) -> list[str]:
    kinds = []
    for pair, negative in enumerate(draws.negatives.tolist()):
        beyond, farthest = bool(draws.beyond[pair]), bool(draws.farthest[pair])
        assert not (beyond and farthest)
        fallback = "beyond" if beyond else "farthest" if farthest else "none"
        kinds.append("band" if draws.sizes[pair] > 0 else fallback)
        assert (negative == NO_NEGATIVE) == (kinds[-1] == "none")
    return kinds


@settings(max_examples=150)
@given(
    kind=st.sampled_from(["cosine", "euclidean"]),
    videos=st.integers(1, 6),
    tags=st.integers(1, 14),
    owned=st.floats(0.0, 1.0),
    above=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    below=st.sampled_from([0.25, 0.75, 1.5, float("inf")]),
    cut=st.tuples(st.integers(1, 7), st.integers(1, 20), st.integers(1, 6), st.integers(1, 2000)),
    seed=st.integers(0, 10_000),
)
def test_agrees_with_a_triple_loop_however_the_work_is_cut(
    kind, videos, tags, owned, above, below, cut, seed
) -> None:
    generator = torch.Generator().manual_seed(seed)
    own_lists = [
        [tag for tag in range(tags) if tag == 0 or torch.rand((), generator=generator) < owned]
        for _ in range(videos)
    ]
    pairs = torch.tensor([(video, tag) for video, row in enumerate(own_lists) for tag in row])
    pairs = pairs[torch.randperm(len(pairs), generator=generator)]
    uniform = torch.rand(len(pairs), generator=generator, dtype=torch.float64)
    video_vectors, tag_vectors = exact_vectors(kind, videos, seed), exact_vectors(kind, tags, seed + 1)
    band = Band(above, below)
    tile_videos, strip, chunk, block_bytes = cut
    with (
        mock.patch.object(tiles_module, "TILE_VIDEOS", tile_videos),
        mock.patch.object(tiles_module, "STRIP_TAGS", strip),
        mock.patch.object(band_module, "CHUNK", chunk),
    ):
        draws = draw_in_band(
            video_vectors,
            tag_vectors,
            pairs,
            OwnTags.from_lists(own_lists),
            band,
            uniform,
            distance=kind,
            block_bytes=block_bytes,
        )
    expected = oracle(kind, video_vectors, tag_vectors, pairs, own_lists, band, uniform)
    assert list(zip(draws.negatives.tolist(), draws.sizes.tolist(), how(draws), strict=True)) == expected


def round_of(
    videos: int, tags: int, seed: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, OwnTags, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    own_lists = torch.randint(tags, (videos, 3), generator=generator).tolist()
    pairs = torch.tensor([(video, tag) for video, row in enumerate(own_lists) for tag in row])
    return (
        torch.randn(videos, 16, generator=generator),
        torch.randn(tags, 16, generator=generator),
        pairs,
        OwnTags.from_lists(own_lists),
        torch.rand(len(pairs), generator=generator, dtype=torch.float64),
    )


@pytest.mark.parametrize("kind", ["cosine", "euclidean"])
def test_the_block_size_changes_nothing_not_even_the_last_bit(kind) -> None:
    videos, tags, pairs, own, uniform = round_of(videos=300, tags=700, seed=0)
    small, large = (
        draw_in_band(videos, tags, pairs, own, Band(0.05, 0.2), uniform, distance=kind, block_bytes=size)
        for size in (1, BLOCK)
    )
    assert torch.equal(small.negatives, large.negatives)
    assert torch.equal(small.negative_distances, large.negative_distances)
    assert torch.equal(small.sizes, large.sizes)


def test_a_pair_draws_the_same_whatever_other_pairs_there_are() -> None:
    videos, tags, pairs, own, uniform = round_of(videos=40, tags=300, seed=1)
    band = Band(0.05, 0.3)
    some = torch.arange(0, len(pairs), 7)
    whole = draw_in_band(videos, tags, pairs, own, band, uniform, distance="cosine", block_bytes=BLOCK)
    part = draw_in_band(
        videos, tags, pairs[some], own, band, uniform[some], distance="cosine", block_bytes=BLOCK
    )
    assert torch.equal(part.negatives, whole.negatives[some])


def test_the_draw_is_even_within_the_band() -> None:
    videos, tags, _, _, _ = round_of(videos=1, tags=400, seed=2)
    draws = 20_000
    own = OwnTags.from_lists([[5, 17]])
    pairs = torch.tensor([[0, 5]]).expand(draws, 2)
    uniform = torch.rand(draws, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    band = Band(0.05, 0.5)
    drawn = draw_in_band(videos, tags, pairs, own, band, uniform, distance="cosine", block_bytes=BLOCK)
    distances = DISTANCES["cosine"](videos, tags)[0]
    inside = (distances > distances[5] + 0.05) & (distances < distances[5] + 0.5)
    inside[[5, 17]] = False
    counts = torch.bincount(drawn.negatives, minlength=400)
    assert inside.sum() > 20
    assert not counts[~inside].any()
    assert stats.chisquare(counts[inside].numpy()).pvalue > 0.001


def test_own_tags_and_aliases_in_the_band_are_dropped_and_counted_apart() -> None:
    tags = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8], [0.0, 1.0], [0.7, 0.7]])
    draws = draw_in_band(
        torch.tensor([[1.0, 0.0]]),
        tags,
        torch.tensor([[0, 0]]),
        OwnTags.from_lists([[0, 1, 4]], aliases=[[2]]),
        Band(0.05, 0.5),
        torch.tensor([0.99], dtype=torch.float64),
        distance="cosine",
        block_bytes=BLOCK,
    )
    assert (draws.dropped_own.item(), draws.dropped_alias.item()) == (2, 1)
    assert draws.beyond.item()
    assert draws.negatives.item() == 3


def test_no_pairs_are_no_draws() -> None:
    none = torch.zeros((0, 2), dtype=torch.int64)
    videos, tags, _, own, _ = round_of(videos=3, tags=5, seed=0)
    draws = draw_in_band(
        videos, tags, none, own, Band(0.0, 1.0), torch.zeros(0).double(), distance="cosine", block_bytes=BLOCK
    )
    assert draws.negatives.shape == (0,)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_vectors_that_are_not_finite_are_refused(value) -> None:
    videos, tags, pairs, own, uniform = round_of(videos=3, tags=5, seed=0)
    tags[2, 2] = value
    with pytest.raises(TrainingError, match=r"tag vector .*\n.*learning_rate"):
        draw_in_band(videos, tags, pairs, own, Band(0.0, 1.0), uniform, distance="cosine", block_bytes=BLOCK)
