"""The tags of one training step: which have to be encoded, and how the pairs point at them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from tagtower.training.losses.loss import NO_NEGATIVE, Targets
from tagtower.training.mining.own import OwnTags


@dataclass(frozen=True, slots=True)
class StepTags:
    """The tags that a step needs, as ascending library indices; pairs, own and rejected tags are renumbered to them."""

    tags: Int[Tensor, "tag"]
    targets: Targets
    own: OwnTags
    rejected: OwnTags


def step_tags(
    videos: Int[Tensor, "pair"],
    positives: Int[Tensor, "pair"],
    own: OwnTags,
    *,
    negatives: Int[Tensor, "pair"] | None = None,
    pool: Int[Tensor, "drawn"] | None = None,
    rejected: OwnTags | None = None,
) -> StepTags:
    """Gather the tags of pairs (row of the batch, library index) with their negatives.

    `own` has a row for each video of the batch and is numbered as the library. `negatives` are mined ones, one
    for each pair, `NO_NEGATIVE` allowed. `pool` are tags to be held against all videos but those they belong to:
    a sample of the library, or the batch's own positives. `rejected`, numbered and ordered as `own`, are held against
    the video that they were rejected on, in the pool or not.
    """
    nothing = positives.new_zeros(0)
    mined = nothing if negatives is None else negatives[negatives != NO_NEGATIVE]
    rejected = OwnTags.from_lists([()] * len(own)) if rejected is None else rejected
    tags = torch.unique(torch.cat([positives, mined, nothing if pool is None else pool, rejected.tags]))
    near, wrong = own.within(tags), rejected.within(tags)
    allowed = None
    if pool is not None:
        allowed = (torch.isin(tags, pool) | wrong.mask(len(tags))) & ~near.mask(len(tags))
    targets = Targets(
        videos=videos,
        positives=_columns(tags, positives),
        negatives=None if negatives is None else _columns(tags, negatives),
        allowed=allowed,
    )
    return StepTags(tags, targets, near, wrong)


def _columns(tags: Int[Tensor, "tag"], chosen: Int[Tensor, "pair"]) -> Int[Tensor, "pair"]:
    columns = torch.searchsorted(tags, chosen.contiguous())
    return columns.masked_fill(chosen == NO_NEGATIVE, NO_NEGATIVE)
