"""Which videos and which of their tags each step of training takes; it follows from the seed and the step alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from tagtower.config import Settings
from tagtower.features.store import CENTRE
from tagtower.training.mining import OwnTags
from tagtower.training.randomness import generator


@dataclass(frozen=True, slots=True, eq=False)
class PlannedStep:
    """The videos of a step that have a positive, their frames' draws, and the pairs to learn from.

    `pair_videos` are rows of the batch. `own` are the tags that may not be held against each video, `rejected` those
    that were found wrong for it; these and `positives` are numbered as the library.
    """

    epoch: int
    videos: Int[Tensor, "video"]
    draws: Int[Tensor, "video"]
    pair_videos: Int[Tensor, "pair"]
    positives: Int[Tensor, "pair"]
    own: OwnTags
    rejected: OwnTags


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """The steps of a whole training of so many example videos. Steps and epochs count from 0 here.

    Each video has `draws` random draws of frames to choose from; without any it always shows its centre frames.
    An epoch has a fixed number of steps, whatever part of the videos has a tag in the library of the day.
    """

    videos: int
    settings: Settings
    draws: int

    @property
    def steps_per_epoch(self) -> int:
        """Steps of one pass over the videos."""
        return math.ceil(self.videos / self.settings.train.batch_size)

    @property
    def steps(self) -> int:
        """Steps of all epochs."""
        return self.steps_per_epoch * self.settings.train.epochs

    def round_at(self, step: int) -> tuple[int, int, int]:
        """Return the number, first step and end of the round that `step` lies in."""
        refresh = self.settings.negatives.refresh
        length = self.steps_per_epoch if refresh == "epoch" else refresh
        number = step // length
        return number, number * length, min((number + 1) * length, self.steps)

    def steps_between(
        self,
        start: int,
        stop: int,
        own: OwnTags,
        barred: OwnTags | None = None,
        rejected: OwnTags | None = None,
    ) -> tuple[PlannedStep, ...]:
        """Return the plan of consecutive steps, given every video's own tags.

        `barred` are the tags that may not be held against a video, its own among them; default its own alone.
        `rejected` are those that were found wrong for it, by default none.
        """
        barred = own if barred is None else barred
        rejected = OwnTags.from_lists([()] * len(own)) if rejected is None else rejected
        planned: list[PlannedStep] = []
        length = self.steps_per_epoch
        for epoch in range(start // length, math.ceil(stop / length)):
            drawn = self._epoch(epoch, own)
            first, end = max(start, epoch * length), min(stop, (epoch + 1) * length)
            planned += (self._step(step, barred, rejected, *drawn) for step in range(first, end))
        return tuple(planned)

    def _epoch(self, epoch: int, own: OwnTags) -> tuple[Int[Tensor, "video"], Int[Tensor, "video"], OwnTags]:
        """The order of the videos in an epoch, the draw of each, and the positives it takes of each."""
        seed = self.settings.train.seed
        order = torch.randperm(self.videos, generator=generator(seed, "order", epoch))
        if self.draws:
            draws = torch.randint(self.draws, (self.videos,), generator=generator(seed, "draw", epoch))
        else:
            draws = torch.full((self.videos,), CENTRE)
        limit = self.settings.loss.positives
        return order, draws, sample_positives(own, limit, generator(seed, "positives", epoch))

    def _step(
        self,
        step: int,
        own: OwnTags,
        rejected: OwnTags,
        order: Int[Tensor, "video"],
        draws: Int[Tensor, "video"],
        positives: OwnTags,
    ) -> PlannedStep:
        epoch, place = divmod(step, self.steps_per_epoch)
        size = self.settings.train.batch_size
        rows = order[place * size : (place + 1) * size]
        rows = rows[positives.counts[rows] > 0]
        taken = positives.take(rows)
        return PlannedStep(
            epoch=epoch,
            videos=rows,
            draws=draws[rows],
            pair_videos=torch.repeat_interleave(torch.arange(len(rows)), taken.counts),
            positives=taken.tags,
            own=own.take(rows),
            rejected=rejected.take(rows),
        )


def sample_positives(own: OwnTags, limit: int, random: torch.Generator) -> OwnTags:
    """Return at most `limit` of each video's own tags, evenly drawn."""
    video = torch.repeat_interleave(torch.arange(len(own)), own.counts)
    by_key = torch.rand(len(own.tags), generator=random, dtype=torch.float64).argsort()
    shuffled = by_key[video[by_key].argsort(stable=True)]
    rank = torch.arange(len(shuffled)) - own.offsets[:-1][video]
    kept = torch.zeros(len(shuffled), dtype=torch.bool)
    kept[shuffled] = rank < limit
    counts = torch.bincount(video[kept], minlength=len(own))
    offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    return OwnTags(offsets, own.tags[kept], own.by_alias[kept])
