"""How well the model, as it is, ranks the library's tags for the validation videos."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tagtower.errors import TrainingError
from tagtower.evaluation.gates import GateWeights, gate_entropy, summarize_gates
from tagtower.evaluation.metrics import Metrics, VideoScores, row_blocks, video_scores
from tagtower.library.tags import TagLibrary
from tagtower.records import Modality
from tagtower.towers import DISTANCES
from tagtower.training.batches import RankedTags, video_batches
from tagtower.training.belonging import Positives, labelled
from tagtower.training.dataset import ExampleFeatures
from tagtower.training.encode import EncodedVideos, Encoder
from tagtower.training.mining import OwnTags


@dataclass(frozen=True, slots=True)
class Validated:
    """Metrics over the whole library; the gate's mean weights and evenness (None where it has no choice)."""

    metrics: Metrics
    weights: dict[Modality, float | None]
    gate_entropy: float | None

    @property
    def score(self) -> float:
        """What weights are chosen by: nDCG@10, in [0, 1]."""
        assert self.metrics.ndcg_at_10 is not None, "validation refuses examples without a relevant tag"
        return self.metrics.ndcg_at_10


class Validation:
    """Validates on the examples that have a tag in the library of the day.

    Labels count where there are any, whatever says what belongs to the training videos.
    """

    def __init__(self, encoder: Encoder, examples: ExampleFeatures, positives: Positives = labelled) -> None:
        self._encoder = encoder
        self._examples = examples
        self._batches = video_batches(examples, encoder.tower.modalities)
        has_labels = any(examples.tags(row) for row in range(len(examples)))
        self._positives = labelled if has_labels else positives
        self._own: tuple[str, OwnTags] | None = None

    def __call__(self, library: TagLibrary, tags: RankedTags) -> Validated:
        """Return the metrics of the model as it is over all tags of `library`, by their nearest wordings in `tags`.

        Raises:
            TrainingError: no validation video has a tag in the library, or the model's vectors are not finite.
        """
        own = self._own_tags(library)
        rows = own.counts.nonzero().squeeze(1)
        if not len(rows):
            raise TrainingError(
                f"None of the {len(self._examples)} validation videos has a tag that is in the tag library, so "
                "there is nothing to choose the best weights by.",
                hint="Check that manifest and tag library belong together, and that split `val` is not empty: "
                "tagtower data check MANIFEST --tags TAGS",
            )
        videos = self._encoder.videos(self._batches, rows)
        tag_vectors = self._encoder.tags(tags.wordings)
        if not bool(torch.isfinite(videos.vectors).all() and torch.isfinite(tag_vectors).all()):
            raise TrainingError(
                "The model gives vectors that are not finite.",
                hint="Training has diverged. Lower train.learning_rate.",
            )
        scores = VideoScores.concatenate(self._scores(videos.vectors, tag_vectors, tags, own.take(rows)))
        return Validated(scores.mean(), *self._gates(videos))

    def _own_tags(self, library: TagLibrary) -> OwnTags:
        if self._own is None or self._own[0] != library.version:
            self._own = library.version, self._positives(self._examples, library).own
        return self._own[1]

    def _scores(
        self,
        videos: Float[Tensor, "video dim"],
        wordings: Float[Tensor, "wording dim"],
        tags: RankedTags,
        own: OwnTags,
    ) -> Iterator[VideoScores]:
        distance = DISTANCES[self._encoder.tower.settings.distance.kind]
        for rows in row_blocks(len(videos), len(wordings)):
            self._encoder.pause()
            found = tags.nearest(distance(videos[rows], wordings).cpu().numpy())
            relevant = own.take(torch.arange(rows.start, rows.stop)).mask(found.shape[1])
            yield video_scores(found, relevant.numpy())

    def _gates(self, videos: EncodedVideos) -> tuple[dict[Modality, float | None], float | None]:
        modalities = self._encoder.tower.modalities
        gates = GateWeights(modalities, videos.weights.cpu().numpy(), videos.present.cpu().numpy())
        evenness = gate_entropy(gates)
        evenness = evenness[~np.isnan(evenness)]
        return (
            {summary.modality: summary.mean_weight for summary in summarize_gates(gates)},
            float(evenness.mean()) if len(evenness) else None,
        )
