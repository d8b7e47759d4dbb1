"""The vectors of many videos or tags with the model as it is, batch by batch, as mining and validation need them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tagtower.features.store import CENTRE
from tagtower.towers import TwoTower
from tagtower.training.batches import TagBatches, VideoBatches
from tagtower.training.precision import Precision

TAGS_AT_ONCE = 512


@dataclass(frozen=True, slots=True, eq=False)
class EncodedVideos:
    """Vectors of videos, and the gate's weights, 0 where a modality is absent."""

    vectors: Float[Tensor, "video dim"]
    weights: Float[Tensor, "video modality"]
    present: Bool[Tensor, "video modality"]


@dataclass(frozen=True, slots=True)
class Encoder:
    """Encodes in evaluation mode and without gradients; `pause` is called between batches and may raise."""

    tower: TwoTower
    precision: Precision
    batch_size: int
    pause: Callable[[], None]

    def videos(self, batches: VideoBatches, rows: Int[Tensor, "video"]) -> EncodedVideos:
        """Return the examples in `rows`, which are not empty, under their centre frames."""
        vectors, weights, present = [], [], []
        with self._evaluating():
            for part in torch.split(rows, self.batch_size):
                self.pause()
                batch = batches(part, torch.full_like(part, CENTRE)).to(self.tower.device)
                with self.precision.autocast():
                    encoding = self.tower.encode_videos(batch)
                vectors.append(encoding.vectors.float())
                weights.append(encoding.weights.float())
                present.append(encoding.present)
        return EncodedVideos(torch.cat(vectors), torch.cat(weights), torch.cat(present))

    def tags(self, batches: TagBatches) -> Float[Tensor, "tag dim"]:
        """Return every tag of the library, in its order."""
        vectors = []
        with self._evaluating():
            for start in range(0, len(batches), TAGS_AT_ONCE):
                self.pause()
                with self.precision.autocast():
                    part = self.tower.encode_tags(batches(slice(start, start + TAGS_AT_ONCE)))
                vectors.append(part.float())
        return torch.cat(vectors)

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        was_training = self.tower.training
        self.tower.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self.tower.train(was_training)
