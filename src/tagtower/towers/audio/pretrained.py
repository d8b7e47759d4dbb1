"""The audio expert over a pretrained network: a vector for each piece of a sound, and their mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor, nn

from tagtower.config import AudioSettings
from tagtower.towers.audio.backbone import SoundBackbone
from tagtower.towers.backbones import train_pretrained
from tagtower.towers.masks import MaskedBatchNorm, masked_mean

BLOCK_SECONDS = 0.02
"""A waveform that is kept for training is kept in blocks, so that sounds of any length go into one batch."""

INPUT_SETTINGS = {"sample_rate", "whole_seconds", "windows", "window_seconds"}
"""They decide which samples the network hears, and how they are cut."""


class PretrainedAudioEncoder(nn.Module):
    """Listens to sounds through a pretrained network. A frozen one runs once a video, in `features`."""

    pretrained = True

    def __init__(self, backbone: SoundBackbone, settings: AudioSettings, *, frozen: bool) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(not frozen)
        self.frozen = frozen
        self.width = backbone.width
        # As for pictures: what is pooled is far from centred, and its components are of very different sizes.
        self.norm = MaskedBatchNorm(backbone.width, affine=False)
        self._block = round(BLOCK_SECONDS * backbone.sample_rate)
        self._inputs = settings.model_dump(mode="json", include=INPUT_SETTINGS)

    def train(self, mode: bool = True) -> PretrainedAudioEncoder:
        """Switch training on or off; a frozen backbone stays off, and of any the statistics stay."""
        super().train(mode)
        train_pretrained(self.backbone, mode and not self.frozen)
        return self

    def forward(
        self, steps: Float[Tensor, "batch step coefficient"], mask: Bool[Tensor, "batch step"]
    ) -> Float[Tensor, "batch dim"]:
        """Return one vector a sound from what `features` gave for it."""
        vectors, real = self.steps(steps, mask)
        return masked_mean(self.norm(vectors, real), real)

    def steps(
        self, values: Float[Tensor, "batch step coefficient"], mask: Bool[Tensor, "batch step"]
    ) -> tuple[Float[Tensor, "batch piece dim"], Bool[Tensor, "batch piece"]]:
        """Return what the network says of each piece, before it is normalised, and which are real."""
        return (values, mask) if self.frozen else self._heard(values, mask)

    @torch.inference_mode()
    def features(self, waveform: Float32[np.ndarray, "samples"]) -> Float32[np.ndarray, "step coefficient"]:
        """Return a vector for each piece of a mono waveform where the network is frozen, else its samples in blocks."""
        blocks = np.zeros((max(1, -(-len(waveform) // self._block)), self._block), np.float32)
        blocks.reshape(-1)[: len(waveform)] = np.nan_to_num(waveform)
        if not self.frozen:
            return blocks
        return self.backbone.hear(self.backbone.pieces(blocks.reshape(-1))).float().cpu().numpy()

    def spec(self) -> dict[str, Any]:
        """Return all that `features` depends on: how the sound is cut, and the network where it is frozen."""
        return {**self._inputs, "block": self._block, **(self.backbone.spec() if self.frozen else {})}

    def _heard(self, blocks: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The vectors of the pieces of every sound, padded, and which are real."""
        sounds = [row[there].flatten().cpu().numpy() for row, there in zip(blocks, mask, strict=True)]
        pieces = [self.backbone.pieces(sound) for sound in sounds]
        counts = torch.tensor([len(some) for some in pieces], device=blocks.device)
        real = torch.arange(int(counts.max()), device=blocks.device) < counts[:, None]
        found = self.backbone.hear([piece for some in pieces for piece in some]).float()
        vectors = found.new_zeros((*real.shape, self.width))
        vectors[real] = found
        return vectors, real
