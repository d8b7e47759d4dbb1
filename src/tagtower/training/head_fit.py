"""A head in closed form: ridge regression from a frozen feature onto the tags, beside what the head knew before.

Arrays in, arrays out. Every choice is made on held-out predictions, which a ridge regression gives of each example
without a second fit; so a few dozen examples are enough, and all of them are learnt from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tagtower.evaluation.metrics import video_scores
from tagtower.towers import DISTANCES

RIDGES = (0.1, 0.3, 1.0, 3.0, 10.0)
"""Candidates for the ridge, in mean squared lengths of a centred feature."""

SHARES = ((1.0, 0.0), (1.0, 0.25), (1.0, 0.5), (1.0, 1.0), (1.0, 2.0), (0.0, 1.0))
"""Candidates for how loud the prior and the regression speak, each at length one on average."""

QUIETEST = 1 / 64
"""The smallest weight that the gate starts with, of the largest."""

TAG_RIDGE = 1.0
"""Keeps a tag's target direction near the tag itself where tags crowd; tags are of length one."""


@dataclass(frozen=True, slots=True, eq=False)
class HeadFit:
    """The weights of a linear layer, what it says of each example when fitted without it, and how good that is.

    `held_out` has rows of length one; `ndcg_at_10`, in [0, 1], is their mean over the examples that have a tag.
    """

    weight: Float[Tensor, "dim feature"]
    bias: Float[Tensor, "dim"]
    held_out: Float[Tensor, "video dim"]
    ndcg_at_10: float


def fit_head(
    features: Float[Tensor, "video feature"],
    weight: Float[Tensor, "dim feature"],
    bias: Float[Tensor, "dim"],
    tags: Float[Tensor, "tag dim"],
    own: Bool[Tensor, "video tag"],
) -> HeadFit:
    """Return the best linear layer between the one that stands (the prior) and a regression onto the tags.

    The regression's target is the vector whose products with the tags in use come nearest to 1 for a video's own
    and 0 for the others, so that its constant part ranks tags by how often they are used.

    Args:
        features: what the layer sees of each video, two videos at least.
        weight, bias: the layer as it stands.
        tags: every tag of the library at length one.
    Source: Kumar et al., "Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution", ICLR
        2022, section 3.4, for fitting the head before anything else moves; Allen, "The Relationship between
        Variable Selection and Data Augmentation and a Method for Prediction", Technometrics 16, 1974, for the
        held-out predictions (PRESS).
    """
    inputs, targets = features.double(), tag_targets(tags, own)
    prior = inputs @ weight.double().T + bias.double()
    best: HeadFit | None = None
    for fit in ridge_regressions(inputs, targets, RIDGES):
        for prior_share, share in SHARES:
            old, new = prior_share / _length(prior), share / _length(fit.held_out)
            vectors = torch.nn.functional.normalize(old * prior + new * fit.held_out, dim=1).float()
            score = mean_ndcg(vectors, tags, own)
            if best is None or score > best.ndcg_at_10:
                best = HeadFit(
                    weight=(old * weight.double() + new * fit.weight).float(),
                    bias=(old * bias.double() + new * fit.bias).float(),
                    held_out=vectors,
                    ndcg_at_10=score,
                )
    assert best is not None, "the grids are not empty"
    return best


@dataclass(frozen=True, slots=True, eq=False)
class Regression:
    """A linear layer, and what it would say of each example had that one been left out of the fit."""

    weight: Float[Tensor, "dim feature"]
    bias: Float[Tensor, "dim"]
    held_out: Float[Tensor, "video dim"]


def ridge_regressions(
    inputs: Float[Tensor, "video feature"], targets: Float[Tensor, "video dim"], ridges: Sequence[float]
) -> Iterator[Regression]:
    """Yield the ridge regression of centred targets on centred inputs for each ridge, all from one decomposition.

    Args:
        ridges: each in mean squared lengths of a centred input.
    """
    centre, middle = inputs.mean(0), targets.mean(0)
    left, singular, right = torch.linalg.svd(inputs - centre, full_matrices=False)
    squares = singular.square()
    along = left.T @ (targets - middle)
    for ridge in ridges:
        penalty = ridge * squares.sum() / len(inputs)
        shrunk = squares / (squares + penalty)
        fitted = middle + left @ (shrunk[:, None] * along)
        leverage = 1.0 / len(inputs) + left.square() @ shrunk
        solution = (right.T @ ((singular / (squares + penalty))[:, None] * along)).T
        yield Regression(
            weight=solution,
            bias=middle - solution @ centre,
            # An example that alone holds up a direction says nothing of it when held out.
            held_out=targets - (targets - fitted) / (1.0 - leverage).clamp_min(1e-6)[:, None],
        )


def tag_targets(tags: Float[Tensor, "tag dim"], own: Bool[Tensor, "video tag"]) -> Float[Tensor, "video dim"]:
    """Return for each video the vector whose products with the used tags are nearest to its row of `own`.

    Tags that no video uses make no demand: their places follow from what they mean.
    """
    used = own.any(dim=0)
    vectors, wanted = tags[used].double(), own[:, used].double()
    gram = vectors.T @ vectors + TAG_RIDGE * torch.eye(vectors.shape[1], dtype=torch.float64)
    solved: Tensor = torch.linalg.solve(gram, vectors.T @ wanted.T)
    return solved.T


def fit_gate(
    experts: Float[Tensor, "video modality dim"],
    present: Bool[Tensor, "video modality"],
    tags: Float[Tensor, "tag dim"],
    own: Bool[Tensor, "video tag"],
) -> Float[Tensor, "modality"]:
    """Return the weights of the experts, > 0 and of sum one, under which the fused vectors rank best.

    They have to serve a video that lacks a modality as well, so nDCG@10 is averaged over every set of modalities
    that a video might have. One weight at a time is halved or doubled while that helps. None falls below
    `QUIETEST` of the loudest, so that an expert which is still to learn is heard.

    Args:
        experts: held-out vectors at length one; anything where `present` is false.
    """
    modalities = experts.shape[1]
    sets = [torch.tensor(chosen) for chosen in product((True, False), repeat=modalities) if any(chosen)]

    def score(weights: Tensor) -> float:
        heard = experts.masked_fill(~present[:, :, None], 0.0) * weights[:, None]
        found = [
            mean_ndcg(torch.nn.functional.normalize(heard[rows][:, chosen].sum(1), dim=1), tags, own[rows])
            for chosen in sets
            if (rows := present[:, chosen].any(dim=1)).any()
        ]
        return sum(found) / len(found)

    weights = torch.ones(modalities)
    best, tried_in_vain, place = score(weights), 0, 0
    while tried_in_vain < modalities:
        gain = False
        for factor in (0.5, 2.0):
            changed = weights.clone()
            changed[place] *= factor
            while changed.min() >= QUIETEST * changed.max() and (found := score(changed)) > best:
                best, weights, gain = found, changed.clone(), True
                changed[place] *= factor
        tried_in_vain = 0 if gain else tried_in_vain + 1
        place = (place + 1) % modalities
    return weights / weights.sum()


def mean_ndcg(
    vectors: Float[Tensor, "video dim"], tags: Float[Tensor, "tag dim"], own: Bool[Tensor, "video tag"]
) -> float:
    """Return the mean nDCG@10, in [0, 1], of the videos that have a tag; 0 where none has."""
    scores = video_scores(DISTANCES["cosine"](vectors, tags).numpy(), own.numpy())
    return scores.mean().ndcg_at_10 or 0.0


def _length(vectors: Float[Tensor, "video dim"]) -> Float[Tensor, ""]:
    """The root mean square length, never zero."""
    length: Tensor = vectors.square().sum(1).mean().sqrt()
    return length.clamp_min(1e-12)
