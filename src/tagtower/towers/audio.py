"""Sound of a video into one vector: a spectrum, then statistics over time or a small network over time.

Networks are found by name in `NETWORKS`. They see real steps only: padding reaches neither their answer nor the
statistics by which they normalise.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor, nn
from torch.nn import functional as F

from tagtower.config import AudioSettings
from tagtower.features.mfcc import Mfcc
from tagtower.towers.masks import MaskedBatchNorm, masked_max, masked_mean

NETWORK_SETTINGS = {"network", "channels", "dropout"}
"""The settings that come after the spectrum; all others decide what is stored."""


STRIDE = 2


class StatsNetwork(nn.Module):
    """Mean, deviation, minimum and maximum over time, of the coefficients and of their steps' differences."""

    def __init__(self, settings: AudioSettings) -> None:
        super().__init__()
        self.width = 2 * settings.channels
        self.norm = MaskedBatchNorm(settings.coefficients, affine=False)
        statistics = 8 * settings.coefficients
        self.layers = nn.Sequential(
            nn.LayerNorm(statistics),
            nn.Dropout(settings.dropout),
            nn.Linear(statistics, self.width),
            nn.GELU(),
            nn.Dropout(settings.dropout),
            nn.Linear(self.width, self.width),
        )

    def forward(
        self, steps: Float[Tensor, "batch step coefficient"], mask: Bool[Tensor, "batch step"]
    ) -> Float[Tensor, "batch dim"]:
        """Return one vector a sound."""
        steps = self.norm(steps, mask)
        # The first step has none before it: its difference counts as zero.
        differences = F.pad(steps[:, 1:] - steps[:, :-1], (0, 0, 1, 0))
        parts = [*_moments(steps, mask), *_moments(differences, mask)]
        return self.layers(torch.cat(parts, dim=1))  # type: ignore[no-any-return]


class CnnNetwork(nn.Module):
    """Three strided convolutions over time, then mean and maximum over what is left of it."""

    def __init__(self, settings: AudioSettings) -> None:
        super().__init__()
        channels = settings.channels
        self.norm = MaskedBatchNorm(settings.coefficients, affine=False)
        widths = (settings.coefficients, channels, channels, 2 * channels)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(a, b, kernel_size=5, stride=STRIDE, padding=2, bias=False) for a, b in pairwise(widths)
        )
        self.norms = nn.ModuleList(MaskedBatchNorm(width) for width in widths[1:])
        self.dropout = nn.Dropout(settings.dropout)
        self.width = 4 * channels

    def forward(
        self, steps: Float[Tensor, "batch step coefficient"], mask: Bool[Tensor, "batch step"]
    ) -> Float[Tensor, "batch dim"]:
        """Return one vector a sound."""
        steps = self.norm(steps, mask)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            steps = convolution(steps.mT).mT
            mask = mask[:, ::STRIDE]
            steps = self.dropout(F.relu(norm(steps, mask)))
        return torch.cat([masked_mean(steps, mask), masked_max(steps, mask)], dim=1)


def _moments(steps: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    mean = masked_mean(steps, mask)
    variance = masked_mean((steps - mean[:, None]).square(), mask)
    return mean, (variance + 1e-6).sqrt(), -masked_max(-steps, mask), masked_max(steps, mask)


NETWORKS: dict[str, type[StatsNetwork] | type[CnnNetwork]] = {"stats": StatsNetwork, "cnn": CnnNetwork}


class AudioEncoder(nn.Module):
    """The audio expert before its head; its spectrum is made once a video, in `features`."""

    pretrained = False

    def __init__(self, settings: AudioSettings) -> None:
        super().__init__()
        self.network = NETWORKS[settings.network](settings)
        self.width = self.network.width
        self._mfcc = Mfcc(settings)
        self._inputs = settings.model_dump(mode="json", exclude=NETWORK_SETTINGS)

    def forward(
        self, steps: Float[Tensor, "batch step coefficient"], mask: Bool[Tensor, "batch step"]
    ) -> Float[Tensor, "batch dim"]:
        """Return one vector a sound from what `features` gave for it."""
        return self.network(steps, mask)  # type: ignore[no-any-return]

    @torch.inference_mode()
    def features(self, waveform: Float32[np.ndarray, "samples"]) -> Float32[np.ndarray, "step coefficient"]:
        """Return the spectrum of a mono waveform at `audio.sample_rate`, in [-1, 1]."""
        return self._mfcc(torch.tensor(waveform)).numpy()

    def spec(self) -> dict[str, Any]:
        """Return all that `features` depends on: how the sound is cut, and the spectrum."""
        return self._inputs
