"""The miner behind every rule that draws from a band of distances beyond the positive."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tagtower.training.mining.band import Band, draw_in_band
from tagtower.training.mining.miner import Mined
from tagtower.training.mining.own import OwnTags
from tagtower.training.mining.report import BandSizes, MiningReport, share

BLOCK_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class BandMiner:
    """Draws evenly among the tags of the band; see `tagtower.training.mining.miner.Miner`.

    An empty band falls back to the nearest tag beyond the positive, and where there is none to the farthest
    tag; both are counted. `margin` is the loss's, and only tells active hinges from the others.
    """

    rule: str
    distance: str
    band: Band
    margin: float
    block_bytes: int = BLOCK_BYTES

    def __call__(
        self,
        videos: Float[Tensor, "video width"],
        tags: Float[Tensor, "tag width"],
        pairs: Int[Tensor, "pair 2"],
        own: OwnTags,
        generator: torch.Generator,
    ) -> Mined:
        """One negative for each pair, and how the round went.

        Raises:
            TrainingError: a vector holds NaN or infinity.
        """
        device = videos.device
        uniform = torch.rand(len(pairs), generator=generator, dtype=torch.float64).to(device)
        draws = draw_in_band(
            videos.detach(),
            tags.detach(),
            pairs.to(device),
            own.to(device),
            self.band,
            uniform,
            distance=self.distance,
            block_bytes=self.block_bytes,
        )
        hinge = draws.positive_distances - draws.negative_distances + self.margin
        return Mined(
            draws.negatives,
            MiningReport(
                rule=self.rule,
                tags=len(tags),
                pairs=len(pairs),
                band=BandSizes.of(draws.sizes),
                fallback_beyond=int(draws.beyond.sum()),
                fallback_farthest=int(draws.farthest.sum()),
                without=int((draws.negative_distances == torch.inf).sum()),
                dropped_own=int(draws.dropped_own.sum()),
                dropped_alias=int(draws.dropped_alias.sum()),
                active_hinges=share(hinge > 0),
            ),
        )
