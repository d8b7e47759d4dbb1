"""What a round of mining found: how wide the bands were, what was drawn, and what was dropped and why."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from jaxtyping import Bool, Int
from torch import Tensor


@dataclass(frozen=True, slots=True)
class BandSizes:
    """How many tags each pair could choose from, over all pairs: the smallest, three percentiles, the largest."""

    least: int
    p10: int
    median: int
    p90: int
    most: int

    @staticmethod
    def of(sizes: Int[Tensor, "pair"]) -> BandSizes:
        """The summary of the sizes; all 0 where there are no pairs."""
        if len(sizes) == 0:
            return BandSizes(0, 0, 0, 0, 0)
        ordered = sizes.sort().values
        last = len(ordered) - 1
        least, p10, median, p90, most = (int(ordered[round(q * last)]) for q in (0.0, 0.1, 0.5, 0.9, 1.0))
        return BandSizes(least, p10, median, p90, most)


@dataclass(frozen=True, slots=True)
class MiningReport:
    """One round of mining.

    `fallback_beyond` counts pairs whose band was empty and that took the nearest tag beyond the positive;
    `fallback_farthest` those with no tag beyond either, which took the farthest there is; `without` those
    whose video owns every tag. `dropped_own` and `dropped_alias` count the tags that a pair could have drawn
    but for their belonging to its video, or being an alias of one that does. `active_hinges` is the share of
    pairs, in [0, 1], with d(a,p) - d(a,n) + m > 0 at the time of mining.
    """

    rule: str
    tags: int
    pairs: int
    band: BandSizes
    fallback_beyond: int
    fallback_farthest: int
    without: int
    dropped_own: int
    dropped_alias: int
    active_hinges: float

    def to_json(self) -> dict[str, object]:
        """Plain values for logs and checkpoints."""
        return asdict(self)

    def line(self) -> str:
        """The round in one line, for a person."""
        empty = self.fallback_beyond + self.fallback_farthest
        return (
            f"{self.rule}: {self.pairs} pairs over {self.tags} tags, band median {self.band.median} "
            f"({self.band.p10} to {self.band.p90}), {self.active_hinges:.0%} of hinges active, "
            f"{empty} bands empty, {self.without} pairs without a negative, "
            f"dropped {self.dropped_own} own tags and {self.dropped_alias} aliases"
        )


def share(mask: Bool[Tensor, "pair"]) -> float:
    """The share of True, in [0, 1]; 0 of nothing is 0."""
    return float(mask.double().mean()) if len(mask) else 0.0
