"""Draws one tag for each pair, evenly, out of the tags that lie in a band of distances beyond the positive.

A draw is one number u in [0, 1) for each pair, given beforehand, and takes the floor(u * size)-th tag of the
band in library order. So it depends neither on how the work is cut into blocks nor on the other pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tagtower.training.losses.loss import NO_NEGATIVE
from tagtower.training.mining.own import OwnTags
from tagtower.training.mining.tiles import check_finite, distance_tiles

CHUNK = 128
"""A band is counted by chunks of this many tags, so that tag by tag only the chunk of the draw is counted.

A chunk's count fits into a byte, in which the sum is many times faster than in a wider type.
"""

BYTES_A_TAG = 8
"""A pair of a block takes a float and some marks for each tag."""


@dataclass(frozen=True, slots=True)
class Band:
    """The distances strictly between d(a,p) + `above` and d(a,p) + `below`."""

    above: float
    below: float

    def holds(
        self, distances: Float[Tensor, "*shape"], positive: Float[Tensor, "*other"]
    ) -> Bool[Tensor, "*shape"]:
        """Whether each distance lies in the band of its positive's distance."""
        return (distances > positive + self.above) & (distances < positive + self.below)


@dataclass(frozen=True, slots=True)
class BandDraws:
    """For each pair: the tag drawn, how many its band held, and the distances of positive and negative.

    `beyond` marks an empty band that took the nearest tag farther than the positive; `farthest` one without
    such a tag, which took the farthest of all. `NO_NEGATIVE` lies at infinity. `dropped_own` and
    `dropped_alias` count the tags in the band that were left out because they belong to the video.
    """

    negatives: Int[Tensor, "pair"]
    sizes: Int[Tensor, "pair"]
    beyond: Bool[Tensor, "pair"]
    farthest: Bool[Tensor, "pair"]
    dropped_own: Int[Tensor, "pair"]
    dropped_alias: Int[Tensor, "pair"]
    positive_distances: Float[Tensor, "pair"]
    negative_distances: Float[Tensor, "pair"]

    @staticmethod
    def empty(pairs: int, device: torch.device) -> BandDraws:
        """Room for the draws of so many pairs."""
        whole = [torch.zeros(pairs, dtype=torch.int64, device=device) for _ in range(4)]
        marks = [torch.zeros(pairs, dtype=torch.bool, device=device) for _ in range(2)]
        lengths = [torch.zeros(pairs, dtype=torch.float32, device=device) for _ in range(2)]
        return BandDraws(whole[0], whole[1], marks[0], marks[1], whole[2], whole[3], lengths[0], lengths[1])


def draw_in_band(
    videos: Float[Tensor, "video width"],
    tags: Float[Tensor, "tag width"],
    pairs: Int[Tensor, "pair 2"],
    own: OwnTags,
    band: Band,
    uniform: Float[Tensor, "pair"],
    *,
    distance: str,
    block_bytes: int,
) -> BandDraws:
    """One tag for each pair (row of `videos`, row of `tags`), chosen by the pair's number in `uniform`.

    Beside a tile of distances about `block_bytes` of memory are used; the answer does not depend on them.

    Raises:
        TrainingError: a vector holds NaN or infinity.
    """
    check_finite(videos, tags)
    draws = BandDraws.empty(len(pairs), videos.device)
    by_video = torch.argsort(pairs[:, 0], stable=True)
    sorted_videos = pairs[by_video, 0].contiguous()
    rows_at_once = max(1, block_bytes // (BYTES_A_TAG * max(1, len(tags))))
    for first, tile in distance_tiles(distance, videos, tags):
        edges = torch.tensor([first, first + len(tile)], device=videos.device)
        start, stop = torch.searchsorted(sorted_videos, edges).tolist()
        here = by_video[start:stop]
        draws.positive_distances[here] = tile[pairs[here, 0] - first, pairs[here, 1]]
        _drop_own(tile, first, pairs, here, own, band, draws)
        for block in torch.split(here, rows_at_once):
            _draw_block(tile[pairs[block, 0] - first], block, band, uniform[block], draws)
    return draws


def _drop_own(
    tile: Float[Tensor, "row tag"],
    first: int,
    pairs: Int[Tensor, "pair 2"],
    here: Int[Tensor, "some"],
    own: OwnTags,
    band: Band,
    draws: BandDraws,
) -> None:
    """Move every video's own tags out of reach, and count for each pair those that its band would have held."""
    pair, entry = own.entries_of(pairs[here, 0])
    pair = here[pair]
    hidden = band.holds(tile[pairs[pair, 0] - first, own.tags[entry]], draws.positive_distances[pair])
    draws.dropped_alias.index_add_(0, pair, (hidden & own.by_alias[entry]).long())
    draws.dropped_own.index_add_(0, pair, (hidden & ~own.by_alias[entry]).long())
    tile[pairs[pair, 0] - first, own.tags[entry]] = torch.inf


def _draw_block(
    distances: Float[Tensor, "row tag"],
    block: Int[Tensor, "row"],
    band: Band,
    uniform: Float[Tensor, "row"],
    draws: BandDraws,
) -> None:
    """Draw for the pairs of a block; row i holds the distances of pair block[i], own tags at infinity."""
    rows, tags = distances.shape
    positive = draws.positive_distances[block][:, None]
    chunks = -(-tags // CHUNK)
    inside = distances.new_zeros((rows, chunks * CHUNK), dtype=torch.bool)
    inside[:, :tags] = band.holds(distances, positive)
    drawn, sizes = _nth_of_each(inside.view(rows, chunks, CHUNK), uniform)

    empty = (sizes == 0).nonzero().squeeze(1)
    if len(empty) > 0:
        drawn[empty] = _fall_back(distances[empty], positive[empty], block[empty], draws)
    negative = distances.gather(1, drawn[:, None]).squeeze(1)
    draws.sizes[block] = sizes
    draws.negative_distances[block] = negative
    draws.negatives[block] = drawn.masked_fill(negative == torch.inf, NO_NEGATIVE)


def _nth_of_each(
    chunks: Bool[Tensor, "row chunk width"], uniform: Float[Tensor, "row"]
) -> tuple[Int[Tensor, "row"], Int[Tensor, "row"]]:
    """In each row the position of the floor(uniform * count)-th True (0 where there is none), and the count."""
    row = torch.arange(len(chunks), device=chunks.device)
    up_to = chunks.sum(2, dtype=torch.uint8).cumsum(1, dtype=torch.int32)
    counts = up_to[:, -1].long()
    nth = torch.floor(uniform * counts).to(up_to.dtype) + 1
    chunk = torch.searchsorted(up_to, nth[:, None]).squeeze(1).clamp(max=chunks.shape[1] - 1)
    inside = chunks[row, chunk].cumsum(1)
    nth_inside = nth - (up_to[row, chunk] - inside[:, -1])
    place = torch.searchsorted(inside, nth_inside[:, None]).squeeze(1)
    return torch.where(counts > 0, chunk * chunks.shape[2] + place, 0), counts


def _fall_back(
    distances: Float[Tensor, "row tag"],
    positive: Float[Tensor, "row 1"],
    pairs: Int[Tensor, "row"],
    draws: BandDraws,
) -> Int[Tensor, "row"]:
    """The nearest tag beyond the positive, else the farthest there is; the first in library order on a tie."""
    beyond = distances.masked_fill(distances <= positive, torch.inf)
    nearest = beyond.argmin(1)
    is_beyond = beyond.gather(1, nearest[:, None]).squeeze(1) < torch.inf
    farthest = distances.masked_fill(distances == torch.inf, -torch.inf).argmax(1)
    draws.beyond[pairs] = is_beyond
    draws.farthest[pairs] = ~is_beyond & (distances.gather(1, farthest[:, None]).squeeze(1) < torch.inf)
    return torch.where(is_beyond, nearest, farthest)
