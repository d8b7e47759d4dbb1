"""The vectors of many videos or tags with the model as it is, batch by batch, as mining and validation need them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tagtower.features.store import CENTRE
from tagtower.records import Modality
from tagtower.towers import TwoTower, VideoBatch
from tagtower.training.batches import TagBatches, VideoBatches
from tagtower.training.precision import Precision

TAGS_AT_ONCE = 512


@dataclass(frozen=True, slots=True, eq=False)
class EncodedVideos:
    """Vectors of videos and of their experts, and the gate's weights, 0 where a modality is absent."""

    vectors: Float[Tensor, "video dim"]
    experts: Float[Tensor, "video modality dim"]
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
        vectors, experts, weights, present = [], [], [], []
        with self._evaluating():
            for batch in self.batches(batches, rows):
                with self.precision.autocast():
                    encoding = self.tower.encode_videos(batch)
                vectors.append(encoding.vectors.float())
                experts.append(encoding.experts.float())
                weights.append(encoding.weights.float())
                present.append(encoding.present)
        return EncodedVideos(torch.cat(vectors), torch.cat(experts), torch.cat(weights), torch.cat(present))

    def joined(
        self, batches: VideoBatches, rows: Int[Tensor, "video"], modality: Modality
    ) -> Float[Tensor, "some feature"]:
        """Return what the head of `modality` is given for those of the examples that have it."""
        with self._evaluating(), self.precision.autocast():
            parts = [self.tower.joined(batch, modality).float() for batch in self.batches(batches, rows)]
        return torch.cat(parts)

    def steps(
        self, batches: VideoBatches, rows: Int[Tensor, "video"], modality: Modality
    ) -> list[Float[Tensor, "step dim"]]:
        """Return what the backbone of `modality` says of every frame or piece of sound, a batch at a time."""
        encoder, found = getattr(self.tower, modality), []
        with self._evaluating(), self.precision.autocast():
            for batch in self.batches(batches, rows):
                values, mask = getattr(batch, modality), getattr(batch, f"{modality}_mask")
                if values is not None:
                    vectors, real = encoder.steps(values, mask)
                    found.append(vectors[real].float())
        return found

    def batches(self, batches: VideoBatches, rows: Int[Tensor, "video"]) -> Iterator[VideoBatch]:
        """Yield the examples in `rows` under their centre frames, a batch at a time, on the model's device."""
        for part in torch.split(rows, self.batch_size):
            self.pause()
            yield batches(part, torch.full_like(part, CENTRE)).to(self.tower.device)

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
