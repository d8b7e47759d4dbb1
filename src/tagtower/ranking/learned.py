"""The learned ranker: boosted trees that order the candidates of each video, kept as JSON and never as a pickle."""

from __future__ import annotations

from typing import final

import numpy as np
import xgboost
from jaxtyping import Bool, Float32, Int64

from tagtower.config import RankingSettings
from tagtower.errors import ModelError, TrainingError
from tagtower.ranking.features import FEATURES, MISSING_WHERE_NEW

PAIRS = 20
"""Of each video, pairs are formed with its first so many candidates in the order of the moment."""

ROWS, COLUMNS = 0.6, 0.4
"""Shares of the pairs that a tree sees, and of the features that a split sees. Two seeds of whole ones differ by .006
nDCG@10 on validation; these are as good as the better one."""

LEAF_WEIGHT = 5.0
"""Least weight of a leaf; pairs are many and their labels noisy."""

FEW_NEW, SHOWN_AS_NEW = 0.01, 0.1
"""Where less than this share of the right pairs is of new tags, this share of all pairs is shown as if it were: trees
that never saw a missing value send it wherever they please, and new tags with it."""


@final
class LearnedRanker:
    """Scores candidates; of one video's candidates, the higher score comes first."""

    def __init__(self, booster: xgboost.Booster) -> None:
        self._booster = booster

    def __call__(self, values: Float32[np.ndarray, "pair feature"]) -> Float32[np.ndarray, "pair"]:
        """Return a score for each pair, whose columns are `FEATURES`."""
        if not len(values):
            return np.empty(0, np.float32)
        return np.asarray(self._booster.inplace_predict(values, validate_features=False), np.float32)

    def to_json(self) -> bytes:
        """Return the trees and the names of their features as a JSON document."""
        return bytes(self._booster.save_raw("json"))

    @classmethod
    def from_json(cls, data: bytes) -> LearnedRanker:
        """Return the ranker that `to_json` wrote.

        Raises:
            ModelError: it is none, or was made for other features than this version has.
        """
        again = "Train the model anew with this version."
        booster = xgboost.Booster()
        try:
            booster.load_model(bytearray(data))
        except xgboost.core.XGBoostError as error:
            raise ModelError(
                f"The ranker cannot be read: {str(error).splitlines()[0]}.", hint=again
            ) from None
        if tuple(booster.feature_names or ()) != FEATURES:
            raise ModelError("The ranker was made for other features than this version has.", hint=again)
        return cls(booster)


def train_ranker(
    values: Float32[np.ndarray, "pair feature"],
    videos: Int64[np.ndarray, "pair"],
    relevant: Bool[np.ndarray, "pair"],
    settings: RankingSettings,
    *,
    seed: int,
    threads: int = 1,
) -> LearnedRanker:
    """Return a ranker of candidates that come by video; those of a video without a right one teach nothing.

    The same input, seed and number of threads give the same trees.

    Raises:
        TrainingError: no candidate is right.
    Source:
        Burges, "From RankNet to LambdaRank to LambdaMART: An Overview" (2010), section 7.
    """
    if not relevant.any():
        raise TrainingError(
            "None of the ranker's candidates is right, so there is nothing to learn an order from.",
            hint="Train with --set ranking.kind=tower, or check the manifest: tagtower data check",
        )
    random = np.random.default_rng(seed)
    shown = random.random(len(videos)) < settings.negatives
    kept = (relevant | shown) & np.isin(videos, videos[relevant])
    chosen, right = values[kept], relevant[kept]
    if chosen[right, FEATURES.index("is_new")].mean() < FEW_NEW:
        _show_as_new(chosen, np.flatnonzero(random.random(len(chosen)) < SHOWN_AS_NEW))
    matrix = xgboost.QuantileDMatrix(
        chosen,
        label=right.astype(np.float32),
        qid=videos[kept],
        feature_names=list(FEATURES),
        nthread=threads,
    )
    parameters = {
        "objective": "rank:ndcg",
        "lambdarank_pair_method": "topk",
        "lambdarank_num_pair_per_sample": PAIRS,
        "tree_method": "hist",
        "eta": settings.learning_rate,
        "max_depth": settings.depth,
        "min_child_weight": LEAF_WEIGHT,
        "subsample": ROWS,
        "colsample_bynode": COLUMNS,
        "nthread": threads,
        "seed": seed,
    }
    return LearnedRanker(xgboost.train(parameters, matrix, settings.trees))


def _show_as_new(values: Float32[np.ndarray, "pair feature"], pairs: Int64[np.ndarray, "some"]) -> None:
    """Make some pairs look, in place, as if nobody had used their tags yet."""
    missing = np.array([FEATURES.index(name) for name in MISSING_WHERE_NEW])
    values[pairs[:, None], missing] = np.nan
    values[pairs, FEATURES.index("is_new")] = 1.0
