"""Negatives drawn evenly from all tags, blind to distances."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tagtower.config.sections import Settings
from tagtower.towers.distances import DISTANCES
from tagtower.training.losses.loss import NO_NEGATIVE
from tagtower.training.mining.miner import Mined
from tagtower.training.mining.own import OwnTags
from tagtower.training.mining.report import BandSizes, MiningReport, share
from tagtower.training.mining.tiles import check_finite

PAIRS_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class RandomMiner:
    """Draws evenly among all tags but the video's own; see `tagtower.training.mining.miner.Miner`."""

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
        """One negative for each pair; its band is every tag that does not belong to the video.

        Raises:
            TrainingError: a vector holds NaN or infinity.
        """
        check_finite(videos, tags)
        uniform = torch.rand(len(pairs), generator=generator, dtype=torch.float64).to(videos.device)
        pairs, own = pairs.to(videos.device), own.to(videos.device)
        negatives, sizes = _draw(len(tags), pairs[:, 0], own, uniform)
        row, entry = own.entries_of(pairs[:, 0])
        others = own.tags[entry] != pairs[row, 1]
        return Mined(
            negatives,
            MiningReport(
                rule="random",
                tags=len(tags),
                pairs=len(pairs),
                band=BandSizes.of(sizes),
                fallback_beyond=0,
                fallback_farthest=0,
                without=int((sizes == 0).sum()),
                dropped_own=int((others & ~own.by_alias[entry]).sum()),
                dropped_alias=int((others & own.by_alias[entry]).sum()),
                active_hinges=self._active_hinges(videos.detach(), tags.detach(), pairs, negatives),
            ),
        )

    def _active_hinges(
        self,
        videos: Float[Tensor, "video width"],
        tags: Float[Tensor, "tag width"],
        pairs: Int[Tensor, "pair 2"],
        negatives: Int[Tensor, "pair"],
    ) -> float:
        triplets = torch.cat([pairs, negatives[:, None]], dim=1)
        active = [torch.zeros(0, dtype=torch.bool, device=videos.device)]
        for anchor, positive, negative in (part.unbind(1) for part in torch.split(triplets, PAIRS_AT_ONCE)):
            both = tags[torch.stack([positive, negative.clamp(min=0)], dim=1)].float()
            near, far = DISTANCES[self.distance](videos[anchor, None].float(), both).squeeze(1).unbind(1)
            active.append((near - far + self.margin > 0) & (negative != NO_NEGATIVE))
        return share(torch.cat(active))


def _draw(
    tags: int, videos: Int[Tensor, "pair"], own: OwnTags, uniform: Float[Tensor, "pair"]
) -> tuple[Int[Tensor, "pair"], Int[Tensor, "pair"]]:
    """For each pair the floor(uniform * count)-th tag that is not the video's own, and the count."""
    counts = tags - own.counts[videos]
    nth = torch.floor(uniform * counts).long()
    # The i-th own tag has `tag - i` others before it, so it is passed over wherever that is at most nth.
    row, entry = own.entries_of(videos)
    others_before = own.tags[entry] - (entry - own.offsets[videos][row])
    skipped = torch.zeros_like(nth).index_add_(0, row, (others_before <= nth[row]).long())
    return torch.where(counts > 0, nth + skipped, NO_NEGATIVE), counts


def random_miner(settings: Settings) -> RandomMiner:
    """Every tag that is not the video's own, with equal chance."""
    return RandomMiner(settings.distance.kind, settings.loss.margin)


def sample_tags(
    candidates: Int[Tensor, "tag"], count: int, generator: torch.Generator
) -> Int[Tensor, "drawn"]:
    """At most `count` of the candidates, evenly drawn, ascending: the negatives of a step that weighs many."""
    return candidates[torch.randperm(len(candidates), generator=generator)[:count]].sort().values
