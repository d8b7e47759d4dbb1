"""Distances of many videos to a whole library, a tile at a time, so that memory stays bounded.

A tile's shape depends on the library's size alone: a matrix product may round otherwise in another shape, and
whoever reads distances off the tiles must not get other answers for it.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from tagtower.errors import TrainingError
from tagtower.towers.distances import DISTANCES

TILE_BYTES = 64 * 2**20
"""A tile takes at most this, unless one video's distances alone take more."""

TILE_VIDEOS = 256
"""Videos of a tile over a small library; more would not make the product faster."""

STRIP_TAGS = 2048
"""Tags per product, so that what the distance makes on its way stays small as well."""


def distance_tiles(
    distance: str, videos: Float[Tensor, "video width"], tags: Float[Tensor, "tag width"]
) -> Iterator[tuple[int, Float[Tensor, "row tag"]]]:
    """The distances in float32 of consecutive videos to every tag, each tile with its first video's row.

    A tile may be written to, and holds good until the next is asked for.
    """
    rows = max(1, min(TILE_VIDEOS, len(videos), TILE_BYTES // (4 * max(1, len(tags)))))
    buffer = torch.empty((rows, len(tags)), dtype=torch.float32, device=videos.device)
    for first in range(0, len(videos), rows):
        left = videos[first : first + rows].float()
        tile = buffer[: len(left)]
        for strip in range(0, len(tags), STRIP_TAGS):
            right = tags[strip : strip + STRIP_TAGS].float()
            tile[:, strip : strip + STRIP_TAGS] = DISTANCES[distance](left, right)
        yield first, tile


def check_finite(videos: Float[Tensor, "video width"], tags: Float[Tensor, "tag width"]) -> None:
    """Refuse vectors among which no distance has a meaning.

    Raises:
        TrainingError: a vector holds NaN or infinity.
    """
    for name, vectors in (("video", videos), ("tag", tags)):
        # A sum is finite only if everything in it is, and unlike a test of every entry it needs no memory.
        if not bool(torch.isfinite(vectors.sum())):
            raise TrainingError(
                f"Negatives cannot be mined: a {name} vector holds NaN or infinity.",
                hint="Training has diverged. Lower train.learning_rate, or resume from an earlier checkpoint.",
            )
