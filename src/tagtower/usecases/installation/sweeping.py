"""Holding tags against the vectors of all stored videos: how far a tag may be, and which are that near, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64
from sqlalchemy import Connection

from tagtower.config.installation import SuggestionSettings
from tagtower.errors import UsageError
from tagtower.index.sweep import Sweep
from tagtower.library.models import ModelRecord
from tagtower.library.sweeps import SweptTag
from tagtower.library.tags import normalize_tag
from tagtower.library.vectors import VectorStore
from tagtower.pipeline.vectors import encode_tags, tag_wordings
from tagtower.ranking.calibration import Calibration
from tagtower.usecases.session import Session

TAGS_AT_ONCE = 64
"""More at once save nothing: the distances of a block then take longer than reading it."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How far a tag may be from a video that it is suggested on.

    `probability` is what that distance means by the model's calibration, None where it has none. Where nothing can be
    suggested, `distance` is negative and `reason` says why.
    """

    distance: float
    probability: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """The videos within a tag's limit: how many, and the nearest of them, nearest first.

    `scores` are calibrated probabilities, None where the model has no calibration.
    """

    tag: SweptTag
    limit: Limit
    count: int
    videos: Int64[np.ndarray, "found"]
    distances: Float32[np.ndarray, "found"]
    scores: Float64[np.ndarray, "found"] | None


def limit_of(
    calibration: Calibration | None, new: bool, threshold: float | None, settings: SuggestionSettings
) -> Limit:
    """Return how far a tag may be: by its own threshold, or else by the precision that the settings ask for.

    Args:
        calibration: of the towers' distance.
        new: whether the tag did not occur in training.
        threshold: a probability in [0, 1].
    """
    if calibration is None:
        if settings.max_distance is None:
            return Limit(
                -1.0,
                None,
                "The model has no calibration. Set suggestions.max_distance to have tags suggested.",
            )
        return Limit(settings.max_distance, None)
    try:
        least = calibration.threshold(settings.precision) if threshold is None else threshold
    except UsageError as fault:
        return Limit(-1.0, None, f"{fault.message} Lower suggestions.precision to have tags suggested.")
    score = (calibration.new if new else calibration.known).least_score(least)
    if score > 0:
        return Limit(-1.0, least, f"This model is never as sure as {least:.2f} of a tag's distance alone.")
    return Limit(-score, least)


def sweep_tags(
    connection: Connection,
    vectors: VectorStore,
    model: ModelRecord,
    session: Session,
    tags: Sequence[SweptTag],
    settings: SuggestionSettings,
    *,
    most: int,
) -> list[Hits]:
    """Return which stored videos each of the tags fits, by the model `session` has open.

    Every vector is looked at, `TAGS_AT_ONCE` tags at a time.

    Args:
        most: how many videos of a tag are returned; all are counted.
    """
    found: list[Hits] = []
    for start in range(0, len(tags), TAGS_AT_ONCE):
        found += _sweep(
            connection, vectors, model, session, tags[start : start + TAGS_AT_ONCE], settings, most
        )
    return found


def _sweep(
    connection: Connection,
    vectors: VectorStore,
    model: ModelRecord,
    session: Session,
    tags: Sequence[SweptTag],
    settings: SuggestionSettings,
    most: int,
) -> list[Hits]:
    tower = session.model.tower
    calibration = session.orders.ranking.calibrations.get("tower")
    trained = {normalize_tag(text) for text in session.model.training_tags}
    fresh = [normalize_tag(one.tag.text) not in trained for one in tags]
    limits = [
        limit_of(calibration, new, one.threshold, settings) for one, new in zip(tags, fresh, strict=True)
    ]
    wordings = [tag_wordings(one.tag, tower.settings.tag) for one in tags]
    every = [wording for own in wordings for wording in own]
    queries = encode_tags(tower, [one.text for one in every], [one.tag for one in every])
    first = np.cumsum([0, *(len(own) for own in wordings[:-1])])
    sweep = Sweep(queries, first, model.distance, np.array([one.distance for one in limits]), most)
    if any(one.distance >= 0 for one in limits):
        for ids, block in vectors.blocks(connection, model.id):
            sweep(ids, block)
    return [
        Hits(
            tag,
            limit,
            near.count,
            near.ids,
            near.distances,
            None if calibration is None else calibration(-near.distances, np.full(len(near.ids), new)),
        )
        for tag, limit, new, near in zip(tags, limits, fresh, sweep.found(), strict=True)
    ]
