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
from tagtower.towers.masks import MaskedBatchNorm, masked_mean

NETWORK_SETTINGS = {"network", "channels", "dropout"}
"""The settings that come after the spectrum; all others decide what is stored."""


KERNEL = 5
STRIDES = (4, 2)
CHANNEL_OFFSET = 0.3
"""Deviation of the random offsets, in deviations of the coefficient over the training set."""

VARIANCE_FLOOR = 1e-4
"""Keeps the root's gradient finite where a coefficient stands still."""


class Statistics(nn.Module):
    """Mean and deviation over time of every coefficient, and the deviation of its steps' differences.

    Each is brought to mean zero and deviation one over the sounds, so that a mean that hardly varies counts as
    much as one that does. Scaled within each sound instead they lost 7 points of recall@1 in cross-validation
    (benchmarks/sounds.py, its training sounds alone); minimum and maximum beside them gained nothing.
    """

    def __init__(self, settings: AudioSettings) -> None:
        super().__init__()
        self.width = 3 * settings.coefficients
        self.norm = MaskedBatchNorm(self.width, affine=False)

    def forward(
        self, steps: Float[Tensor, "batch step coefficient"], mask: Bool[Tensor, "batch step"]
    ) -> Float[Tensor, "batch dim"]:
        """Return the statistics of each sound's real steps."""
        # The first step has none before it: its difference counts as zero.
        differences = F.pad(steps[:, 1:] - steps[:, :-1], (0, 0, 1, 0))
        found = [*_mean_and_deviation(steps, mask), _mean_and_deviation(differences, mask)[1]]
        return self.norm(torch.cat(found, dim=1)[:, None], mask[:, :1])[:, 0]  # type: ignore[no-any-return]


class StatsNetwork(nn.Module):
    """Statistics of the spectrum over time, and one layer over them."""

    def __init__(self, settings: AudioSettings) -> None:
        super().__init__()
        self.norm = MaskedBatchNorm(settings.coefficients, affine=False)
        self.statistics = Statistics(settings)
        self.layers = _layer(self.statistics.width, settings)
        self.width = 2 * settings.channels

    def forward(
        self, steps: Float[Tensor, "batch step coefficient"], mask: Bool[Tensor, "batch step"]
    ) -> Float[Tensor, "batch dim"]:
        """Return one vector a sound."""
        return self.layers(self.statistics(self.norm(steps, mask), mask))  # type: ignore[no-any-return]


class CnnNetwork(nn.Module):
    """Strided convolutions over time, their statistics, and those of the spectrum itself beside them.

    In training every sound gets an offset of its own on each coefficient, as another microphone or room would
    give it; without, the network learns the recording and not the sound (3 points of recall@1, measured as for
    `Statistics`).

    Source: Snyder et al. 2018, "X-Vectors: Robust DNN Embeddings for Speaker Recognition", section 2.1, for
        statistics pooled over a network over time.
    """

    def __init__(self, settings: AudioSettings) -> None:
        super().__init__()
        widths = (settings.coefficients, settings.channels // 2 or 1, settings.channels)
        self.norm = MaskedBatchNorm(settings.coefficients, affine=False)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(a, b, KERNEL, stride=stride, padding=KERNEL // 2, bias=False)
            for (a, b), stride in zip(pairwise(widths), STRIDES, strict=True)
        )
        self.norms = nn.ModuleList(MaskedBatchNorm(width) for width in widths[1:])
        self.dropout = nn.Dropout(settings.dropout)
        self.learned = nn.Sequential(nn.LayerNorm(2 * widths[-1]), _layer(2 * widths[-1], settings))
        self.statistics = Statistics(settings)
        self.plain = _layer(self.statistics.width, settings)
        self.width = 2 * settings.channels

    def forward(
        self, steps: Float[Tensor, "batch step coefficient"], mask: Bool[Tensor, "batch step"]
    ) -> Float[Tensor, "batch dim"]:
        """Return one vector a sound."""
        steps = self.norm(steps, mask)
        if self.training:
            steps = steps + CHANNEL_OFFSET * torch.randn_like(steps[:, :1])
        plain = self.plain(self.statistics(steps, mask))
        for convolution, norm, stride in zip(self.convolutions, self.norms, STRIDES, strict=True):
            steps = convolution(steps.masked_fill(~mask[:, :, None], 0.0).mT).mT
            mask = mask[:, ::stride]
            steps = self.dropout(F.relu(norm(steps, mask)))
        learned = self.learned(torch.cat(_mean_and_deviation(steps, mask), dim=1))
        return plain + learned  # type: ignore[no-any-return]


def _layer(width: int, settings: AudioSettings) -> nn.Sequential:
    return nn.Sequential(
        nn.Dropout(settings.dropout),
        nn.Linear(width, 2 * settings.channels),
        nn.GELU(),
        nn.Dropout(settings.dropout),
    )


def _mean_and_deviation(steps: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    mean = masked_mean(steps, mask)
    variance = masked_mean((steps - mean[:, None]).square(), mask)
    return mean, (variance + VARIANCE_FLOOR).sqrt()


NETWORKS: dict[str, type[StatsNetwork] | type[CnnNetwork]] = {"stats": StatsNetwork, "cnn": CnnNetwork}


class AudioEncoder(nn.Module):
    """The audio expert before its head; its spectrum is made once a video, in `features`."""

    pretrained = False
    frozen = False

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
