"""Frames of a video into one vector: a backbone or descriptors for each frame, then a join in time order."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, UInt8
from torch import Tensor, nn

from tagtower.config import ImageSettings
from tagtower.towers.backbones import train_pretrained
from tagtower.towers.heads import unit
from tagtower.towers.joins import JOINS
from tagtower.towers.masks import MaskedBatchNorm, on_real
from tagtower.towers.vision import FrameBackbone

SAMPLING_SETTINGS = {
    "sparse": {"frames", "part_seconds", "max_parts"},
    "dense": {"every", "max_frames"},
    "all": {"max_frames"},
}
INPUT_SETTINGS = {"sampling", "exactness", "resize", "crop"}
"""These and those of the sampling decide which pixels the backbone sees."""

FRAMES_AT_ONCE = 32


class UnitLength(nn.Module):
    """Every frame at length one."""

    def forward(
        self, frames: Float[Tensor, "batch frame dim"], mask: Bool[Tensor, "batch frame"]
    ) -> Float[Tensor, "batch frame dim"]:
        """Return the frames, scaled; padding stays zero."""
        return unit(frames)


class ImageEncoder(nn.Module):
    """The image expert before its head. A frozen backbone runs once a video, in `features`.

    `paired` says that the tag tower is the other side of the same dual network: the angles between frames and tags
    then mean something before any training.
    """

    def __init__(
        self,
        backbone: FrameBackbone,
        settings: ImageSettings,
        *,
        pretrained: bool,
        frozen: bool,
        paired: bool = False,
    ) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(not frozen)
        self.pretrained = pretrained
        self.frozen = frozen
        self.join = JOINS[settings.join](backbone.width, settings.most_frames)
        self.width: int = self.join.width  # type: ignore[assignment]
        # Pooled activations are positive and of very different sizes; centred and scaled they train far better.
        # But centring would turn the angles of a pair.
        self.norm = UnitLength() if paired else MaskedBatchNorm(backbone.width, affine=False)
        self._inputs = settings.model_dump(
            mode="json", include=INPUT_SETTINGS | SAMPLING_SETTINGS[settings.sampling]
        )

    def train(self, mode: bool = True) -> ImageEncoder:
        """Switch training on or off; a frozen backbone stays off, and of a pretrained one the statistics stay."""
        super().train(mode)
        if self.pretrained or self.frozen:
            train_pretrained(self.backbone, mode and not self.frozen)
        return self

    def forward(
        self,
        frames: Float[Tensor, "batch frame dim"] | UInt8[Tensor, "batch frame height width 3"],
        mask: Bool[Tensor, "batch frame"],
    ) -> Float[Tensor, "batch dim"]:
        """Return one vector a video from what `features` gave for its frames."""
        return self.join(self._vectors(frames, mask), mask)  # type: ignore[no-any-return]

    def each(
        self, frames: Float[Tensor, "frame dim"] | UInt8[Tensor, "frame height width 3"]
    ) -> Float[Tensor, "frame dim"]:
        """Return what the video would give if it were this one frame alone, for each frame of one video.

        A backbone that looks at clips still sees the neighbours.
        """
        vectors = self._vectors(
            frames[None], torch.ones(1, len(frames), dtype=torch.bool, device=frames.device)
        )
        alone = vectors[0, :, None]
        return self.join(alone, torch.ones_like(alone[..., 0], dtype=torch.bool))  # type: ignore[no-any-return]

    def _vectors(
        self,
        frames: Float[Tensor, "batch frame dim"] | UInt8[Tensor, "batch frame height width 3"],
        mask: Bool[Tensor, "batch frame"],
    ) -> Float[Tensor, "batch frame dim"]:
        return self.norm(*self.steps(frames, mask))  # type: ignore[no-any-return]

    def steps(
        self,
        frames: Float[Tensor, "batch frame dim"] | UInt8[Tensor, "batch frame height width 3"],
        mask: Bool[Tensor, "batch frame"],
    ) -> tuple[Float[Tensor, "batch frame dim"], Bool[Tensor, "batch frame"]]:
        """Return what the backbone says of each frame, before it is normalised, and which are real."""
        if frames.is_floating_point():
            return frames, mask
        clips = mask.sum(1).tolist()
        return on_real(lambda rows: self.backbone.look(rows, clips), frames, mask), mask

    @torch.inference_mode()
    def features(
        self, frames: UInt8[np.ndarray, "frame height width 3"]
    ) -> Float32[np.ndarray, "frame dim"] | UInt8[np.ndarray, "frame height width 3"]:
        """Return a vector a frame where the backbone is frozen, else the frames unchanged."""
        if not self.frozen:
            return frames
        parts = 1 if self.backbone.looks_at_clips else -(-len(frames) // FRAMES_AT_ONCE)
        vectors = [
            self.backbone.look(torch.tensor(part), [len(part)]).float().cpu()
            for part in np.array_split(frames, parts)
        ]
        return torch.cat(vectors).numpy()

    def spec(self) -> dict[str, Any]:
        """Return all that `features` depends on: the sampling, and the backbone where it is frozen."""
        return {**self._inputs, **(self.backbone.spec() if self.frozen else {})}
