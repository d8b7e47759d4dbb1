"""The hard rule: the nearest tag that does not belong to the video."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tagtower.config.sections import Settings
from tagtower.errors import TrainingError
from tagtower.training.losses.loss import NO_NEGATIVE
from tagtower.training.mining.miner import Mined
from tagtower.training.mining.own import OwnTags
from tagtower.training.mining.report import BandSizes, MiningReport, share
from tagtower.training.mining.tiles import check_finite, distance_tiles

ONE_POINT = 1e-4
"""Where no positive and negative differ by more than this share of the margin, the space is one point."""

ENOUGH_PAIRS = 16
"""Of fewer pairs, as a small batch has, all may tie by chance."""


@dataclass(frozen=True, slots=True)
class HardMiner:
    """Takes the nearest tag of all but the video's own; see `tagtower.training.mining.miner.Miner`.

    Nothing is drawn: every pair has a band of one tag. The nearest tag may lie nearer than the positive, so this
    rule, unlike the others, corrects the pairs that are most wrong first; and it may well be right and merely
    unlabelled. Its loss is at its least also where all vectors coincide, and training can fall into that.
    """

    distance: str
    margin: float

    def __call__(
        self,
        videos: Float[Tensor, "video width"],
        tags: Float[Tensor, "tag width"],
        pairs: Int[Tensor, "pair 2"],
        own: OwnTags,
        generator: torch.Generator,
    ) -> Mined:
        """One negative for each pair, the first in library order on a tie.

        Raises:
            TrainingError: a vector holds NaN or infinity, or all of them coincide.
        """
        check_finite(videos, tags)
        pairs, own = pairs.to(videos.device), own.to(videos.device)
        negatives = torch.full_like(pairs[:, 0], NO_NEGATIVE)
        positive, negative = (videos.new_zeros(len(pairs), dtype=torch.float32) for _ in range(2))
        row, entry = own.entries_of(pairs[:, 0])
        own_distance = videos.new_zeros(len(row), dtype=torch.float32)
        for first, tile in distance_tiles(self.distance, videos.detach(), tags.detach()):
            here = _inside(pairs[:, 0], first, len(tile))
            positive[here] = tile[pairs[here, 0] - first, pairs[here, 1]]
            near = _inside(pairs[row, 0], first, len(tile))
            at = pairs[row[near], 0] - first, own.tags[entry[near]]
            own_distance[near] = tile[at]
            tile[at] = torch.inf
            nearest = tile.argmin(1)
            negatives[here] = nearest[pairs[here, 0] - first]
            negative[here] = tile.amin(1)[pairs[here, 0] - first]
        negatives = negatives.masked_fill(negative == torch.inf, NO_NEGATIVE)
        self._check_spread(positive, negative)
        hidden = (own_distance < negative[row]) & (own.tags[entry] != pairs[row, 1])
        return Mined(
            negatives,
            MiningReport(
                rule="hard",
                tags=len(tags),
                pairs=len(pairs),
                band=BandSizes.of((negatives != NO_NEGATIVE).long()),
                fallback_beyond=0,
                fallback_farthest=0,
                without=int((negatives == NO_NEGATIVE).sum()),
                dropped_own=int((hidden & ~own.by_alias[entry]).sum()),
                dropped_alias=int((hidden & own.by_alias[entry]).sum()),
                active_hinges=share(positive - negative + self.margin > 0),
            ),
        )

    def _check_spread(self, positive: Float[Tensor, "pair"], negative: Float[Tensor, "pair"]) -> None:
        gap = (negative - positive).abs()
        if len(gap) >= ENOUGH_PAIRS and float(gap.max()) < ONE_POINT * self.margin:
            raise TrainingError(
                "All videos and tags lie at one point, so no negative is farther than its positive and there is no "
                "gradient to part them. The hardest negatives can do that to a model that is still raw.",
                hint="Set negatives.rule to semi-hard or target-distance, at least to begin with (--from goes on from "
                "such a model), or lower train.learning_rate.",
            )


def _inside(videos: Int[Tensor, "some"], first: int, count: int) -> Int[Tensor, "found"]:
    """Where `videos` are among the `count` from `first` on."""
    return ((videos >= first) & (videos < first + count)).nonzero().squeeze(1)


def hard_miner(settings: Settings) -> HardMiner:
    """The nearest tag that is not the video's own.

    Source: Schroff, Kalenichenko, Philbin, "FaceNet", CVPR 2015, section 3.2 (argmin of d(a,n); they warn of
    collapse early in training, and go on with semi-hard ones for that reason).
    """
    return HardMiner(settings.distance.kind, settings.loss.margin)
