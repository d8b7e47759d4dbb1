"""The ranking part of training: the ranker, the labelled videos it goes by, and the calibrations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64

from tagtower.config import Settings
from tagtower.evaluation.metrics import Metrics
from tagtower.features.store import FeatureStore
from tagtower.library.tags import TagLibrary
from tagtower.pipeline.vectors import TagVectors
from tagtower.pipeline.words import words_of
from tagtower.ranking.features import CandidateSource, NeighbourSide, TagSpace
from tagtower.ranking.folder import Ranking
from tagtower.ranking.learned import LearnedRanker, train_ranker
from tagtower.ranking.neighbours import LabelledVideos, labelled_videos
from tagtower.ranking.order import ByDistance, ByRanker
from tagtower.records import Example, Problems
from tagtower.towers import TwoTower
from tagtower.training.batches import TagFeatures, video_batches
from tagtower.training.dataset import ExampleFeatures, SomeExamples, TrainingData
from tagtower.training.encode import Encoder
from tagtower.training.events import Event, StepDone
from tagtower.training.held_out import HeldOut, held_out
from tagtower.training.positives import resolve_tags
from tagtower.training.precision import Precision
from tagtower.training.trainer import fit
from tagtower.usecases.order_calibration import fit_order
from tagtower.usecases.progress import Progress
from tagtower.usecases.ranking import labelled_video, seen_in_training, tag_columns

ENOUGH_VIDEOS = 1000
"""Training videos from which on `auto` trains a ranker: a fifth of fewer is too little to learn an order from."""

MOST_VIDEOS = 10_000
"""Videos that the ranker learns from; of more, every second, third ... is taken. Each brings about 400 candidates."""


@dataclass(frozen=True, slots=True)
class RankingData:
    """What the ranking part learns from: the examples of both splits beside their features."""

    data: TrainingData
    train: Sequence[Example]
    val: Sequence[Example]


def wants_ranker(settings: Settings, videos: int) -> bool:
    """Return whether a ranker is trained, given the number of training videos; it learns from labels alone."""
    kind = settings.ranking.kind
    enough = videos >= ENOUGH_VIDEOS and settings.positives.source == "labels"
    return kind == "hybrid" or (kind == "auto" and enough)


def train_ranking(
    tower: TwoTower,
    fresh_tower: Callable[[], TwoTower],
    examples: RankingData,
    library: TagLibrary,
    training_tags: Sequence[str],
    settings: Settings,
    *,
    state_folder: Path,
    resume: bool,
    tag_features: TagFeatures,
    progress: Progress,
) -> tuple[Ranking, Metrics | None]:
    """Return the ranking part for the finished `tower`, and the ranker's metrics on validation, if there is one.

    The ranker learns from examples that towers and neighbours of its features do not know: for each round that holds
    some out, a pair of towers from `fresh_tower` is trained on others alone. It serves with `tower` and all training
    videos as neighbours.

    Args:
        state_folder: where the checkpoints of those pairs of towers lie; `resume` goes on from them.
    Raises:
        TrainingError: there is too little to learn from.
    """
    relevant = _relevance(examples.val, library)
    tags = tag_space(tower, library)
    val_vectors = video_vectors(tower, examples.data.val, settings)
    texts = [words_of(one.video, settings.ranking.fields).texts for one in examples.val]
    seen = seen_in_training(library, training_tags)
    plain = ByDistance(tags.distances, ~seen)
    calibrations = {"tower": fit_order(plain(val_vectors, texts), relevant).calibration}
    ranker, neighbours, metrics = None, None, None
    if wants_ranker(settings, len(examples.train)):
        ranker = _train_ranker(
            fresh_tower,
            examples,
            library,
            settings,
            state_folder=state_folder,
            resume=resume,
            tag_features=tag_features,
            progress=progress,
        )
        vectors = video_vectors(tower, examples.data.train, settings)
        neighbours = _neighbours(examples.train, vectors, settings)
        source = _source(neighbours, library, tags, settings)
        order = ByRanker(source, ranker)
        fitted = fit_order(order(val_vectors, texts), relevant)
        calibrations["hybrid"], metrics = fitted.calibration, fitted.metrics
    found = {name: one for name, one in calibrations.items() if one is not None}
    return Ranking(ranker, neighbours, found), metrics


def video_vectors(
    tower: TwoTower, examples: ExampleFeatures, settings: Settings
) -> Float32[np.ndarray, "video dim"]:
    """Return the vector of each example under its centre frames."""
    encoder = Encoder(tower, Precision.choose("fp32", tower.device), settings.train.batch_size, lambda: None)
    batches = video_batches(examples, tower.modalities)
    return encoder.videos(batches, torch.arange(len(examples))).vectors.cpu().numpy()


def _train_ranker(
    fresh_tower: Callable[[], TwoTower],
    examples: RankingData,
    library: TagLibrary,
    settings: Settings,
    *,
    state_folder: Path,
    resume: bool,
    tag_features: TagFeatures,
    progress: Progress,
) -> LearnedRanker:
    rounds = held_out(examples.train, settings.ranking.holdout, settings.ranking.rounds, settings.train.seed)
    relevant = _relevance(examples.train, library)
    pairs = []
    for number, split in enumerate(rounds, start=1):
        tower = fresh_tower()
        progress.phase(f"training towers for the ranker, {number} of {len(rounds)}", None)
        fit(
            tower,
            TrainingData(SomeExamples(examples.data.train, tuple(split.earlier.tolist())), examples.data.val),
            lambda: library,
            settings,
            state_folder=state_folder / f"{number}",
            on_event=_Steps(progress),
            resume=resume,
            tag_features=tag_features,
        )
        pairs += _pairs(tower, examples, library, relevant, split, settings, MOST_VIDEOS // len(rounds))
    progress.phase("training the ranker", None)
    return train_ranker(
        np.concatenate([one.values for one in pairs]),
        np.concatenate([one.videos for one in pairs]),
        np.concatenate([one.relevant for one in pairs]),
        settings.ranking,
        seed=settings.train.seed,
        threads=torch.get_num_threads(),
    )


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Candidates of held-out videos, by video, and which of them are right."""

    values: Float32[np.ndarray, "pair feature"]
    videos: Int64[np.ndarray, "pair"]
    relevant: Bool[np.ndarray, "pair"]


def _pairs(
    tower: TwoTower,
    examples: RankingData,
    library: TagLibrary,
    relevant: Bool[np.ndarray, "video tag"],
    split: HeldOut,
    settings: Settings,
    most: int,
) -> list[_Pairs]:
    """The candidates of at most about `most` videos that `split` holds out, beside the labelled videos of their time.

    Only tags that somebody has used by the end of a part are its candidates: one that comes into use later could only
    ever be wrong here, and new tags would learn to come last.
    """
    vectors = video_vectors(tower, examples.data.train, settings)
    tags = tag_space(tower, library)
    neighbours = _neighbours(examples.train, vectors, settings)
    before, found = split.earlier, []
    step = max(1, -(-sum(map(len, split.parts)) // most))
    for part in split.parts:
        source = _source(neighbours.take(before), library, tags, settings)
        before = np.concatenate([before, part])
        used = np.asarray(relevant[before].any(axis=0))
        asked = part[::step]
        texts = [words_of(examples.train[row].video, settings.ranking.fields).texts for row in asked]
        for rows, block in source.blocks(vectors[asked], texts):
            kept = used[block.tags]
            own = asked[rows][block.videos[kept]]
            found.append(_Pairs(block.values[kept], own, relevant[own, block.tags[kept]]))
    return found


def _neighbours(
    examples: Sequence[Example], vectors: Float32[np.ndarray, "video dim"], settings: Settings
) -> LabelledVideos:
    return labelled_videos([labelled_video(one, settings.ranking.fields) for one in examples], vectors)


def _source(
    neighbours: LabelledVideos, library: TagLibrary, tags: TagSpace, settings: Settings
) -> CandidateSource:
    columns = tag_columns(neighbours, library)
    return CandidateSource(
        NeighbourSide(neighbours),
        columns,
        library.tags,
        tags,
        settings.ranking,
    )


def tag_space(tower: TwoTower, library: TagLibrary) -> TagSpace:
    """Return what towers that are not saved yet make of a library."""
    with FeatureStore.temporary() as store:
        tags = TagVectors(tower.eval(), "not saved", store)
        return TagSpace(tags.index(library), tags.encode(library.texts).__getitem__, tags.read)


def _relevance(examples: Sequence[Example], library: TagLibrary) -> Bool[np.ndarray, "video tag"]:
    relevant = np.zeros((len(examples), len(library)), bool)
    for row, tags in enumerate(resolve_tags(examples, library, Problems())):
        relevant[row, list(tags)] = True
    return relevant


class _Steps:
    """Moves a progress display along with the steps of a second training."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __call__(self, event: Event) -> None:
        if isinstance(event, StepDone):
            self._progress.advance(1, f"step {event.step}/{event.steps}  loss {event.loss:.3f}")
