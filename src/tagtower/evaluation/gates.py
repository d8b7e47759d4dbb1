"""What the gate did: how much weight it gave each modality, and how evenly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from tagtower.records import Modality


@dataclass(frozen=True, slots=True)
class GateWeights:
    """The weights of the gate, a row a video; 0 where the video lacks the modality, else they sum to one."""

    modalities: tuple[Modality, ...]
    weights: Float[np.ndarray, "video modality"]
    present: Bool[np.ndarray, "video modality"]


@dataclass(frozen=True, slots=True)
class GateSummary:
    """One modality over the videos that have it; `videos` counts them, and without any the numbers are None.

    `spread` holds the 5th, 25th, 75th and 95th percentile of the weight. `loudest` is the share of the videos
    in which no other modality weighs more. `entropy` is the mean evenness of the weights in those videos that
    have another modality too: 0 where one decides alone, 1 where all weigh the same.
    """

    modality: Modality
    videos: int
    mean_weight: float | None
    spread: tuple[float, float, float, float] | None
    loudest: float | None
    entropy: float | None


def gate_entropy(gates: GateWeights) -> Float[np.ndarray, "video"]:
    """Return the entropy of each video's weights over its largest possible value, in [0, 1].

    NaN for a video with a single modality, where the gate has no choice.
    """
    weights = np.where(gates.present, gates.weights, 0.0).astype(np.float64)
    logs = np.log(weights, out=np.zeros_like(weights), where=weights > 0)
    most = np.log(np.maximum(gates.present.sum(axis=1), 1))
    evenness = np.full(len(weights), np.nan)
    np.divide(-(weights * logs).sum(axis=1), most, out=evenness, where=most > 0)
    return evenness


def summarize_gates(gates: GateWeights) -> tuple[GateSummary, ...]:
    """Return one summary a modality, in the order of `gates.modalities`."""
    entropy = gate_entropy(gates)
    largest = np.where(gates.present, gates.weights, 0.0).max(axis=1, initial=0.0)
    return tuple(
        _summarize(modality, gates.weights[own, column], largest[own], entropy[own])
        for column, modality in enumerate(gates.modalities)
        for own in [gates.present[:, column]]
    )


def _summarize(
    modality: Modality,
    weights: Float[np.ndarray, "video"],
    largest: Float[np.ndarray, "video"],
    entropy: Float[np.ndarray, "video"],
) -> GateSummary:
    if not len(weights):
        return GateSummary(modality, 0, None, None, None, None)
    low, quarter, three_quarters, high = (float(cut) for cut in np.percentile(weights, [5, 25, 75, 95]))
    chosen = entropy[~np.isnan(entropy)]
    return GateSummary(
        modality,
        videos=len(weights),
        mean_weight=float(weights.mean()),
        spread=(low, quarter, three_quarters, high),
        loudest=float((weights >= largest).mean()),
        entropy=float(chosen.mean()) if len(chosen) else None,
    )
