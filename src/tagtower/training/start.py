"""Where training sets out from: heads over pretrained backbones in closed form, and a gate that knows who knows what.

Under backbones that are trained end to end as well: from heads that say nothing yet, the first steps would only spoil
what the backbones know (Kumar et al., "Fine-Tuning can Distort Pretrained Features and Underperform
Out-of-Distribution", 2022, section 3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor, nn

from tagtower.records import Modality
from tagtower.towers.fusion import MixtureOfExperts
from tagtower.towers.heads import ProjectionHead, scaled
from tagtower.towers.masks import MaskedBatchNorm
from tagtower.training.batches import VideoBatches
from tagtower.training.encode import Encoder
from tagtower.training.head_fit import HeadFit, fit_gate, fit_head
from tagtower.training.randomness import generator
from tagtower.training.rounds import Snapshot

MOST_VIDEOS = 4000
"""A fit looks at no more videos: beyond, the steps of training do better, and a fit takes seconds."""

MOST_GATED = 500
"""Likewise for the gate, whose fit asks the whole library some dozens of times."""


@dataclass(frozen=True, slots=True)
class StartReport:
    """What was fitted: nDCG@10 of each head on held-out videos, and the gate's weights, both in [0, 1].

    `gate` is empty where the fusion has no gate.
    """

    videos: int
    heads: dict[Modality, float]
    gate: dict[Modality, float]


def fit_start(encoder: Encoder, batches: VideoBatches, snapshot: Snapshot, seed: int) -> StartReport | None:
    """Fit the heads over pretrained backbones, or descriptors, and the gate to the training videos, in place.

    Returns None, with nothing changed, where all is trained from scratch, fewer than two videos have a tag, or the
    distance is not the cosine. An expert that is trained from scratch says nothing yet; the gate hears it a little,
    so that it can earn its place.
    """
    tower = encoder.tower
    if tower.settings.distance.kind != "cosine":
        return None
    ready = [modality for modality in tower.modalities if _knows(getattr(tower, modality))]
    rows = (snapshot.own.counts > 0).nonzero().squeeze(1)
    if not ready or len(rows) < 2:
        return None
    if len(rows) > MOST_VIDEOS:
        drawn = torch.randperm(len(rows), generator=generator(seed, "start"))[:MOST_VIDEOS]
        rows = rows[drawn.sort().values]
    for modality in ready:
        if modality != "text":
            _settle_norm(encoder, batches, rows, modality)
    own = snapshot.own.take(rows).mask(len(snapshot.library))
    tags = encoder.tags(snapshot.tags).cpu()
    encoded = encoder.videos(batches, rows)
    experts, present = encoded.experts.cpu(), encoded.present.cpu()
    found: dict[Modality, float] = {}
    for modality in ready:
        column = tower.modalities.index(modality)
        seen = present[:, column]
        if seen.sum() < 2:
            continue
        features = scaled(encoder.joined(batches, rows[seen], modality)).cpu()
        head = tower.heads[modality]
        assert isinstance(head, ProjectionHead)
        layer = head.linear
        fit = fit_head(features, layer.weight.detach().cpu(), layer.bias.detach().cpu(), tags, own[seen])
        _put(head, fit)
        experts[seen, column] = fit.held_out
        found[modality] = fit.ndcg_at_10
    gate: dict[Modality, float] = {}
    if isinstance(tower.fusion, MixtureOfExperts):
        # Spread evenly: a manifest is often in the order of channels or of time.
        some = slice(None, None, math.ceil(len(rows) / MOST_GATED))
        weights = fit_gate(experts[some], present[some], tags, own[some])
        tower.fusion.start_from(weights.to(tower.device))
        gate = dict(zip(tower.modalities, weights.tolist(), strict=True))
    return StartReport(len(rows), found, gate)


def _knows(expert: nn.Module) -> bool:
    """Whether the head stands on something that needs no training: a pretrained backbone, or descriptors."""
    return bool(expert.pretrained or expert.frozen)


def _settle_norm(
    encoder: Encoder, batches: VideoBatches, rows: Int[Tensor, "video"], modality: Modality
) -> None:
    """Give the normalisation of the vectors of frames, or of pieces of sound, its statistics.

    The steps of training would only near them.
    """
    settled = getattr(encoder.tower, modality).norm
    if not isinstance(settled, MaskedBatchNorm):  # frames of a dual network are not centred
        return
    steps = encoder.steps(batches, rows, modality)
    if not steps:
        return
    every = torch.cat(steps).double()
    norm = settled.norm
    norm.load_state_dict(
        {**norm.state_dict(), "running_mean": every.mean(0), "running_var": every.var(0, correction=0)}
    )


def _put(head: ProjectionHead, fit: HeadFit) -> None:
    with torch.no_grad():
        head.linear.weight.copy_(fit.weight)
        head.linear.bias.copy_(fit.bias)
