"""A round of training: read the library afresh, find every video's tags in it, and mine negatives over it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from tagtower.config import Settings
from tagtower.config.sections import NegativeScope
from tagtower.errors import TrainingError
from tagtower.library.tags import TagLibrary, normalize_tag
from tagtower.pipeline.vectors import tag_wordings
from tagtower.training.batches import RankedTags, TagBatches, TagFeatureCache, TagFeatures, video_batches
from tagtower.training.belonging import Positives
from tagtower.training.dataset import ExampleFeatures
from tagtower.training.encode import Encoder
from tagtower.training.history import RoundRecord
from tagtower.training.mining import MiningReport, OwnTags, build_miner, prefer_rejected
from tagtower.training.negatives import mines_by_round
from tagtower.training.plan import PlannedStep, TrainingPlan
from tagtower.training.randomness import generator

TagSource = Callable[[], TagLibrary]
"""Gives the tag library as it is now."""


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """One version of the library: its tags as batches, and what belongs to each training video.

    `barred` are the tags that may not be held against a video: its own, and those that may be; `rejected` those that
    were found wrong for it. `ranked` is what tags are ranked by in validation: their aliases and descriptions too, as
    `tag.aliases` and `tag.descriptions` say.
    """

    library: TagLibrary
    tags: TagBatches
    own: OwnTags
    barred: OwnTags
    ranked: RankedTags
    rejected: OwnTags

    def candidates(self, scope: NegativeScope) -> Int[Tensor, "tag"]:
        """Return the tags that may be drawn as negatives: all, or under `used` those that a training video has.

        A tag that no video has would only ever be pushed away, from every video.
        """
        return torch.unique(self.own.tags) if scope == "used" else torch.arange(len(self.library))


@dataclass(frozen=True, slots=True, eq=False)
class Round:
    """The steps from `record.step` to `stop` (exclusive) over one snapshot of the library.

    `negatives` holds the tag mined for each pair, all steps in a row, or None where none are mined by round.
    """

    record: RoundRecord
    stop: int
    snapshot: Snapshot
    steps: tuple[PlannedStep, ...]
    negatives: Int[Tensor, "pair"] | None

    def step(self, step: int) -> tuple[PlannedStep, Int[Tensor, "some"] | None]:
        """Return the plan of `step`, and the negatives mined for its pairs."""
        place = step - self.record.step
        planned = self.steps[place]
        if self.negatives is None:
            return planned, None
        first = sum(len(before.positives) for before in self.steps[:place])
        return planned, self.negatives[first : first + len(planned.positives)]


class Rounds:
    """Makes the rounds of one training."""

    def __init__(
        self,
        settings: Settings,
        examples: ExampleFeatures,
        encoder: Encoder,
        tag_source: TagSource,
        tag_features: TagFeatures,
        positives: Positives,
    ) -> None:
        draws = settings.image.random_draws if "image" in encoder.tower.modalities else 0
        self.plan = TrainingPlan(len(examples), settings, draws)
        self.batches = video_batches(examples, encoder.tower.modalities)
        self._settings = settings
        self._examples = examples
        self._encoder = encoder
        self._tag_source = tag_source
        self._tag_features = TagFeatureCache(tag_features)
        self._positives = positives
        self._latest: Snapshot | None = None

    def begin(self, step: int) -> Round:
        """Return the round that begins at `step`, with the library and the model as they are now.

        Raises:
            TrainingError: the library has a single tag, or no training video has a tag in it.
        """
        snapshot = self.snapshot()
        number, start, stop = self.plan.round_at(step)
        steps = self.plan.steps_between(start, stop, snapshot.own, snapshot.barred, snapshot.rejected)
        negatives, report = None, None
        if mines_by_round(self._settings):
            negatives, report = self._mine(number, steps, snapshot)
        record = RoundRecord(
            number=number,
            step=start,
            library=snapshot.library.version,
            tags=len(snapshot.library),
            videos=int((snapshot.own.counts > 0).sum()),
            mining=report,
        )
        return Round(record, stop, snapshot, steps, negatives)

    def snapshot(self) -> Snapshot:
        """Return the library as it is now.

        Raises:
            TrainingError: as for `begin`.
        """
        snapshot = self._snapshot(self._tag_source())
        _check(snapshot)
        return snapshot

    def restore(
        self, record: RoundRecord, library: TagLibrary, negatives: Int[Tensor, "pair"] | None
    ) -> Round:
        """Return a round that was begun before, from what a checkpoint keeps of it."""
        snapshot = self._snapshot(library)
        _, start, stop = self.plan.round_at(record.step)
        steps = self.plan.steps_between(start, stop, snapshot.own, snapshot.barred, snapshot.rejected)
        return Round(record, stop, snapshot, steps, negatives)

    def _snapshot(self, library: TagLibrary) -> Snapshot:
        if self._latest is None or self._latest.library.version != library.version:
            belonging = self._positives(self._examples, library)
            self._remember(library, belonging.own)
            tags = self._batches(library.texts, library.texts)
            ranked = self._ranked(library, tags)
            self._latest = Snapshot(
                library, tags, belonging.own, belonging.barred, ranked, belonging.rejected
            )
        return self._latest

    def _ranked(self, library: TagLibrary, tags: TagBatches) -> RankedTags:
        found = [tag_wordings(tag, self._settings.tag) for tag in library.tags]
        counts = np.array([len(one) for one in found])
        if counts.max() == 1:
            return RankedTags(tags)
        wordings = [wording for one in found for wording in one]
        batches = self._batches([one.text for one in wordings], [one.tag for one in wordings])
        return RankedTags(batches, np.concatenate([[0], counts.cumsum()[:-1]]))

    def _batches(self, texts: Sequence[str], tags: Sequence[str]) -> TagBatches:
        """The batches of texts, each of which stands for one of `tags` and answers with what is remembered of it."""
        tower = self._encoder.tower
        templates = [tower.tag_wordings(text) for text in texts]
        features = self._tag_features([wording for one in templates for wording in one])
        known = None if tower.memory is None else tower.memory.rows([normalize_tag(tag) for tag in tags])
        return TagBatches(features, tower.device, known, len(templates[0]))

    def _remember(self, library: TagLibrary, own: OwnTags) -> None:
        """Let the tag memory grow by the tags that a training video has."""
        memory = self._encoder.tower.memory
        if memory is not None:
            memory.grow(normalize_tag(library.texts[place]) for place in torch.unique(own.tags).tolist())

    def _mine(
        self, number: int, steps: Sequence[PlannedStep], snapshot: Snapshot
    ) -> tuple[Int[Tensor, "pair"], MiningReport | None]:
        """Mine over the whole library for the pairs of all steps, in their order."""
        anchors = torch.cat([planned.videos[planned.pair_videos] for planned in steps])
        positives = torch.cat([planned.positives for planned in steps])
        if not len(anchors):
            return positives, None
        videos, rows = torch.unique(anchors, return_inverse=True)
        mined = build_miner(self._settings)(
            self._encoder.videos(self.batches, videos).vectors,
            self._encoder.tags(snapshot.tags),
            torch.stack([rows, positives], dim=1),
            snapshot.barred.take(videos),
            generator(self._settings.train.seed, "mining", number),
        )
        negatives = prefer_rejected(
            mined.negatives.cpu(),
            rows,
            snapshot.rejected.take(videos),
            self._settings.negatives.rejected,
            generator(self._settings.train.seed, "rejected", number),
        )
        return negatives, mined.report


def _check(snapshot: Snapshot) -> None:
    if len(snapshot.library) < 2:
        raise TrainingError(
            f"The tag library has one tag, {snapshot.library.texts[0]!r}: there is nothing to hold against it.",
            hint="Training needs at least two tags.",
        )
    if not bool((snapshot.own.counts > 0).any()):
        raise TrainingError(
            f"None of the {len(snapshot.own)} training videos has a tag that is in the tag library.",
            hint="Check that manifest and tag library belong together: "
            "tagtower data check MANIFEST --tags TAGS",
        )
