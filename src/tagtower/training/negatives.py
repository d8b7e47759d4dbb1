"""Which tags a step holds against its videos: mined before the round, drawn for the step, or found in the batch."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tagtower.config import Settings
from tagtower.training.losses import Targets
from tagtower.training.mining import Miner, StepTags, prefer_rejected, sample_tags, scope_of, step_tags
from tagtower.training.plan import PlannedStep


def weighs_many(settings: Settings) -> bool:
    """Whether the loss weighs many tags at once, drawn for the step, and takes no mined one."""
    return settings.loss.name != "triplet"


def mines_by_round(settings: Settings) -> bool:
    """Whether negatives are mined over the library before a round."""
    return not weighs_many(settings) and scope_of(settings) == "library"


def gather_tags(
    planned: PlannedStep,
    mined: Int[Tensor, "pair"] | None,
    candidates: Int[Tensor, "tag"],
    settings: Settings,
    random: torch.Generator,
) -> StepTags:
    """Return the tags that a step has to encode, and what is held against what among them."""
    pool = None
    if weighs_many(settings):
        in_batch = scope_of(settings) == "batch"
        pool = planned.positives if in_batch else sample_tags(candidates, settings.loss.negatives, random)
    return step_tags(
        planned.pair_videos,
        planned.positives,
        planned.own,
        negatives=mined,
        pool=pool,
        rejected=None
        if mines_by_round(settings)
        else planned.rejected,  # there they are among the mined ones
    )


def mine_in_batch(
    step: StepTags,
    videos: Float[Tensor, "video dim"],
    tags: Float[Tensor, "tag dim"],
    miner: Miner,
    random: torch.Generator,
    rejected_share: float = 0.0,
) -> Targets:
    """Return the step's targets with negatives mined among its own tags, by the vectors of this very step.

    Args:
        rejected_share: of the pairs whose video has rejected tags, so many are held against one of these instead.
    """
    pairs = torch.stack([step.targets.videos, step.targets.positives], dim=1)
    mined = miner(videos.detach(), tags.detach(), pairs, step.own, random).negatives
    negatives = prefer_rejected(
        mined, pairs[:, 0].to(mined.device), step.rejected.to(mined.device), rejected_share, random
    )
    return replace(step.targets, negatives=negatives)


def targets_on(targets: Targets, device: torch.device) -> Targets:
    """Return the targets on another device."""
    return Targets(
        videos=targets.videos.to(device),
        positives=targets.positives.to(device),
        negatives=None if targets.negatives is None else targets.negatives.to(device),
        allowed=None if targets.allowed is None else targets.allowed.to(device),
    )
