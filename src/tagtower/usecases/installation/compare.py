"""Two models of an installation side by side: what each suggests, what persons said of it, and where they agree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, select

from tagtower.evaluation.reliability import reliability
from tagtower.library.models import Coverage, ModelRecord, coverage_of, find_model
from tagtower.library.schema import answers, suggestions, tags, verdicts
from tagtower.usecases.installation.home import Installation

AT_ONCE = 500
SAMPLE, TOP = 2000, 10


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """How one model did.

    Over the videos with verdicts that both models answered: `precision` is the share of accepted ones among the judged
    tags of its first k, `found` the share of the tags that persons gave which stand there, `refused` the share of the
    tags that persons rejected which stand there, `calibration_error` the mean distance between the probability it gave
    to judged tags and how often these were right. Over the sample: `answered` is the share of videos with any
    suggestion, `shown` how many a video has. None where there was nothing to count.
    """

    model: ModelRecord
    coverage: Coverage
    precision: float | None
    found: float | None
    refused: float | None
    calibration_error: float | None
    answered: float | None
    shown: float | None

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return {
            "model": self.model.name,
            "state": self.model.state,
            "labelled": self.coverage.labelled,
            "built": self.coverage.built,
            "precision": self.precision,
            "found": self.found,
            "refused": self.refused,
            "calibration_error": self.calibration_error,
            "answered": self.answered,
            "shown": self.shown,
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models over the same videos.

    `judged` videos have verdicts, `sample` is how many were drawn from those that both answered. `overlap` is the share
    of the first k tags that both have, `same_first` that of the videos whose first tag is the same.
    """

    k: int
    judged: int
    sample: int
    overlap: float | None
    same_first: float | None
    models: tuple[ModelFigures, ModelFigures]

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return {
            "k": self.k,
            "judged": self.judged,
            "sample": self.sample,
            "overlap": self.overlap,
            "same_first": self.same_first,
            "models": [one.to_json() for one in self.models],
        }


@dataclass(frozen=True, slots=True)
class _Answer:
    """A tag that a model suggests, under its present name's number."""

    tag_id: int
    score: float | None


def compare(
    installation: Installation,
    first: str,
    second: str,
    *,
    k: int = TOP,
    sample: int = SAMPLE,
    seed: int = 0,
) -> Comparison:
    """Hold two models against each other on what is recorded; neither is loaded.

    Most verdicts are of tags that the model of their day suggested, which favours it: tags that only the other model
    suggests were never judged. `found` and `refused` are over the same verdicts for both.

    Raises:
        NotFoundError: there is no such model.
    """
    with installation.database.read() as connection:
        pair = find_model(connection, first), find_model(connection, second)
        said = _verdicts(connection)
        both = _answered_by_both(connection, pair)
        judged = sorted(said.keys() & set(both))
        chosen = sorted(
            np.random.default_rng(seed).choice(both, min(sample, len(both)), replace=False).tolist()
        )
        tops = [_answers(connection, model.id, chosen) for model in pair]
        judged_tops = [_answers(connection, model.id, judged) for model in pair]
        attempts = installation.settings.worker.attempts
        coverages = [coverage_of(connection, model.id, attempts) for model in pair]
    figures = [
        _figures(model, coverage, _first(top, chosen, k), judged_top, {one: said[one] for one in judged}, k)
        for model, coverage, top, judged_top in zip(pair, coverages, tops, judged_tops, strict=True)
    ]
    left, right = (_first(top, chosen, k) for top in tops)
    shares = [
        len(set(one) & set(other)) / max(len(one), len(other))
        for one, other in zip(left, right, strict=True)
        if one or other
    ]
    firsts = [one[:1] == other[:1] for one, other in zip(left, right, strict=True) if one or other]
    return Comparison(k, len(judged), len(chosen), _mean(shares), _mean(firsts), (figures[0], figures[1]))


def _figures(
    model: ModelRecord,
    coverage: Coverage,
    sampled: Sequence[Sequence[int]],
    judged: Mapping[int, Sequence[_Answer]],
    said: Mapping[int, Mapping[int, bool]],
    k: int,
) -> ModelFigures:
    right, found, refused, scores, hits = [], [], [], [], []
    for video, verdict in said.items():
        every = judged.get(video, ())
        top = {one.tag_id for one in every[:k]}
        right += [verdict[tag] for tag in top if tag in verdict]
        found += [tag in top for tag, good in verdict.items() if good]
        refused += [tag in top for tag, good in verdict.items() if not good]
        for one in every:
            if one.score is not None and one.tag_id in verdict:
                scores.append(one.score)
                hits.append(verdict[one.tag_id])
    error = (
        reliability(np.array(scores, np.float64), np.array(hits, bool)).calibration_error if scores else None
    )
    return ModelFigures(
        model,
        coverage,
        precision=_mean(right),
        found=_mean(found),
        refused=_mean(refused),
        calibration_error=error,
        answered=_mean([bool(one) for one in sampled]),
        shown=_mean([len(one) for one in sampled]),
    )


def _verdicts(connection: Connection) -> dict[int, dict[int, bool]]:
    """The last word on each present tag of each video: whether it belongs."""
    root = func.coalesce(tags.c.merged_into, tags.c.id).label("root")
    rows = connection.execute(
        select(verdicts.c.video_id, root, verdicts.c.verdict)
        .select_from(verdicts.join(tags, tags.c.id == verdicts.c.tag_id))
        .order_by(verdicts.c.at, verdicts.c.tag_id.desc())
    )
    said: dict[int, dict[int, bool]] = defaultdict(dict)
    for video, tag, verdict in rows:
        said[video][tag] = verdict != "reject"
    return said


def _answered_by_both(connection: Connection, pair: tuple[ModelRecord, ModelRecord]) -> list[int]:
    other = select(answers.c.video_id).where(answers.c.model_id == pair[1].id)
    mine = select(answers.c.video_id).where(answers.c.model_id == pair[0].id, answers.c.video_id.in_(other))
    return list(connection.scalars(mine.order_by(answers.c.video_id)))


def _answers(connection: Connection, model_id: int, video_ids: Collection[int]) -> dict[int, list[_Answer]]:
    """The tags that a model suggests for videos, surest first, under their present names, whatever persons said."""
    root = tags.alias("root")
    listed = sorted(video_ids)
    best: dict[int, dict[int, tuple[tuple[Any, ...], _Answer]]] = defaultdict(dict)
    for start in range(0, len(listed), AT_ONCE):
        rows = connection.execute(
            select(
                suggestions.c.video_id,
                root.c.id,
                suggestions.c.score,
                suggestions.c.origin,
                suggestions.c.rank,
            )
            .join(tags, tags.c.id == suggestions.c.tag_id)
            .join(root, root.c.id == func.coalesce(tags.c.merged_into, tags.c.id))
            .where(
                suggestions.c.model_id == model_id,
                suggestions.c.video_id.in_(listed[start : start + AT_ONCE]),
                root.c.state == "active",
                root.c.suggestable,
            )
        )
        for video, tag, score, origin, rank in rows:
            order = (score is None, -(score or 0.0), origin != "model", rank, tag)
            if tag not in best[video] or order < best[video][tag][0]:
                best[video][tag] = order, _Answer(tag, score)
    return {
        video: [one for _, one in sorted(own.values(), key=lambda pair: pair[0])]
        for video, own in best.items()
    }


def _first(top: Mapping[int, Sequence[_Answer]], video_ids: Sequence[int], k: int) -> list[list[int]]:
    return [[one.tag_id for one in top.get(video, ())[:k]] for video in video_ids]


def _mean(values: Sequence[float | int]) -> float | None:
    return float(np.mean(values)) if values else None
