"""Networks over the steps of a sound: statistics over time, convolutions, or a recurrent network.

They are found by name in `NETWORKS`. They see real steps only: padding reaches neither their answer nor the
statistics by which they normalise.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from tagtower.config import AudioSettings
from tagtower.towers.masks import MaskedBatchNorm, masked_mean

KERNEL = 5
STRIDES = (4, 2)
STEPS_JOINED = 4
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

    def __init__(self, coefficients: int) -> None:
        super().__init__()
        self.width = 3 * coefficients
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

    def __init__(self, coefficients: int, settings: AudioSettings) -> None:
        super().__init__()
        self.norm = MaskedBatchNorm(coefficients, affine=False)
        self.statistics = Statistics(coefficients)
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

    def __init__(self, coefficients: int, settings: AudioSettings) -> None:
        super().__init__()
        widths = (coefficients, settings.channels // 2 or 1, settings.channels)
        self.norm = MaskedBatchNorm(coefficients, affine=False)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(a, b, KERNEL, stride=stride, padding=KERNEL // 2, bias=False)
            for (a, b), stride in zip(pairwise(widths), STRIDES, strict=True)
        )
        self.norms = nn.ModuleList(MaskedBatchNorm(width) for width in widths[1:])
        self.dropout = nn.Dropout(settings.dropout)
        self.learned = nn.Sequential(nn.LayerNorm(2 * widths[-1]), _layer(2 * widths[-1], settings))
        self.statistics = Statistics(coefficients)
        self.plain = _layer(self.statistics.width, settings)
        self.width = 2 * settings.channels

    def forward(
        self, steps: Float[Tensor, "batch step coefficient"], mask: Bool[Tensor, "batch step"]
    ) -> Float[Tensor, "batch dim"]:
        """Return one vector a sound."""
        steps = _through_another_microphone(self.norm(steps, mask), self.training)
        plain = self.plain(self.statistics(steps, mask))
        for convolution, norm, stride in zip(self.convolutions, self.norms, STRIDES, strict=True):
            steps = convolution(steps.masked_fill(~mask[:, :, None], 0.0).mT).mT
            mask = mask[:, ::stride]
            steps = self.dropout(F.relu(norm(steps, mask)))
        learned = self.learned(torch.cat(_mean_and_deviation(steps, mask), dim=1))
        return plain + learned  # type: ignore[no-any-return]


class GruNetwork(nn.Module):
    """A recurrent network over means of a few steps, its statistics, and those of the spectrum itself beside them.

    It runs forwards only, so that what stands behind a sound never reaches it.

    Source: Cho et al. 2014, "Learning Phrase Representations using RNN Encoder-Decoder", section 2.3.
    """

    def __init__(self, coefficients: int, settings: AudioSettings) -> None:
        super().__init__()
        self.norm = MaskedBatchNorm(coefficients, affine=False)
        self.gru = nn.GRU(coefficients, settings.channels, batch_first=True)
        width = 2 * settings.channels
        self.learned = nn.Sequential(nn.LayerNorm(width), _layer(width, settings))
        self.statistics = Statistics(coefficients)
        self.plain = _layer(self.statistics.width, settings)
        self.width = width

    def forward(
        self, steps: Float[Tensor, "batch step coefficient"], mask: Bool[Tensor, "batch step"]
    ) -> Float[Tensor, "batch dim"]:
        """Return one vector a sound."""
        steps = _through_another_microphone(self.norm(steps, mask), self.training)
        plain = self.plain(self.statistics(steps, mask))
        joined, mask = _joined(steps, mask)
        states, _ = self.gru(joined)
        learned = self.learned(torch.cat(_mean_and_deviation(states, mask), dim=1))
        return plain + learned  # type: ignore[no-any-return]


def _joined(steps: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of every `STEPS_JOINED` steps, over the real ones among them: a recurrence is paid for by the step."""
    missing = -steps.shape[1] % STEPS_JOINED
    steps = F.pad(steps.masked_fill(~mask[:, :, None], 0.0), (0, 0, 0, missing))
    real = F.pad(mask, (0, missing)).reshape(len(mask), -1, STEPS_JOINED).sum(2)
    total = steps.reshape(len(steps), -1, STEPS_JOINED, steps.shape[2]).sum(2)
    return total / real.clamp(min=1)[:, :, None], real > 0


def _through_another_microphone(steps: Tensor, training: bool) -> Tensor:
    """In training, every sound gets an offset of its own on each coefficient."""
    return steps + CHANNEL_OFFSET * torch.randn_like(steps[:, :1]) if training else steps


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


NETWORKS: dict[str, Callable[[int, AudioSettings], StatsNetwork | CnnNetwork | GruNetwork]] = {
    "stats": StatsNetwork,
    "cnn": CnnNetwork,
    "gru": GruNetwork,
}
"""Each is made for so many coefficients a step."""
