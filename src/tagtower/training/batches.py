"""From features, example by example and tag by tag, to the tensors that a step hands to the towers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor

from tagtower.features.store import CENTRE
from tagtower.records import Modality
from tagtower.towers.inputs import TextBatch, VideoBatch, VideoFeatures, collate_texts, collate_videos
from tagtower.training.dataset import ExampleFeatures

TagFeatures = Callable[[Sequence[str]], Sequence[np.ndarray]]
"""Texts of tags to their features, as `TwoTower.tag_features` makes them."""


@runtime_checkable
class VideoBatches(Protocol):
    """Makes batches of the examples of one split."""

    def __call__(self, rows: Int[Tensor, "video"], draws: Int[Tensor, "video"]) -> VideoBatch:
        """The examples in `rows`, in that order, each under its draw of frames."""
        ...


def video_batches(examples: ExampleFeatures, modalities: Sequence[Modality]) -> VideoBatches:
    """Return the quickest way to make batches of `examples` for a model that reads `modalities`."""
    if tuple(modalities) == ("text",) and len(examples):
        found = [examples.features(row, CENTRE) for row in range(len(examples))]
        vectors = [one.text for one in found if one.text is not None and _is_title_vector(one)]
        if len(vectors) == len(examples):
            return TitleVectors(torch.from_numpy(np.stack(vectors)))
    return CollatedVideos(examples, tuple(modalities))


def _is_title_vector(words: VideoFeatures) -> bool:
    others = words.has_field("description") or words.has_field("subtitles")
    return words.text is not None and words.text.dtype == np.float32 and words.text.ndim == 1 and not others


@final
@dataclass(frozen=True, slots=True)
class CollatedVideos:
    """Batches of whatever the examples hold, padded anew each time."""

    examples: ExampleFeatures
    modalities: tuple[Modality, ...]

    def __call__(self, rows: Int[Tensor, "video"], draws: Int[Tensor, "video"]) -> VideoBatch:
        """Return the examples in `rows`, in that order, each under its draw of frames."""
        pairs = zip(rows.tolist(), draws.tolist(), strict=True)
        return collate_videos([self.examples.features(row, draw) for row, draw in pairs], self.modalities)


@final
@dataclass(frozen=True, slots=True)
class TitleVectors:
    """Batches of titles behind a frozen encoder: rows of one matrix, hundreds of times quicker than padding."""

    matrix: Float[Tensor, "example dim"]

    def __call__(self, rows: Int[Tensor, "video"], draws: Int[Tensor, "video"]) -> VideoBatch:
        """Return the examples in `rows`, in that order; a title is the same under every draw."""
        present = torch.ones((len(rows), 1), dtype=torch.bool)
        return VideoBatch(None, None, None, None, self.matrix[rows], None, present)


@final
class TagBatches:
    """Batches of the tags of one library, whose features are laid out once."""

    def __init__(
        self,
        features: Sequence[np.ndarray],
        device: torch.device,
        known: Int64[Tensor, "tag"] | None = None,
        wordings: int = 1,
    ) -> None:
        self._all = collate_texts(features, known, wordings).to(device)

    def __len__(self) -> int:
        return len(self._all)

    def __call__(self, tags: Int[Tensor, "tag"] | slice) -> TextBatch:
        """Return the tags at these places of the library; padding that all of them share is cut off."""
        at = tags.to(self._all.values.device) if isinstance(tags, Tensor) else tags
        wordings = self._all.wordings
        known = None if self._all.known is None else self._all.known[at]
        if wordings > 1:
            rows = torch.arange(len(self._all.values), device=self._all.values.device)
            at = rows.view(-1, wordings)[at].flatten()
        values, mask = self._all.values[at], self._all.mask
        if mask is None:
            return TextBatch(values, None, known, wordings)
        longest = max(1, int(mask[at].sum(1).max()))
        return TextBatch(values[:, :longest], mask[at, :longest], known, wordings)


@final
@dataclass(frozen=True, slots=True, eq=False)
class RankedTags:
    """What the tags of a library are ranked by: batches of all their wordings, those of one tag in a row.

    `first` says where those of each tag begin; None where every tag has but one.
    """

    wordings: TagBatches
    first: Int64[np.ndarray, "tag"] | None = None

    def nearest(self, distances: Float[np.ndarray, "video wording"]) -> Float[np.ndarray, "video tag"]:
        """Return the distances to the tags: of each that to its nearest wording, as labelling has it."""
        return distances if self.first is None else np.minimum.reduceat(distances, self.first, axis=1)


@final
class TagFeatureCache:
    """The features of tag texts, each made once, as libraries come and go during training."""

    def __init__(self, make: TagFeatures) -> None:
        self._make = make
        self._known: dict[str, np.ndarray] = {}

    def __call__(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return one array a text."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        if missing:
            self._known.update(zip(missing, self._make(missing), strict=True))
        return [self._known[text] for text in texts]
