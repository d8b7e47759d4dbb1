"""Which order tags are shown in: the model's towers alone, or its ranker beside labelled videos."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, TypeAlias, final, get_args

import numpy as np

from tagtower.errors import ManifestError, UsageError
from tagtower.library.tags import TagLibrary, normalize_tag
from tagtower.pipeline.extract import Failed, FeatureExtractor
from tagtower.pipeline.vectors import TagVectors, embed_videos
from tagtower.pipeline.words import words_of
from tagtower.ranking.features import CandidateSource
from tagtower.ranking.folder import Ranking
from tagtower.ranking.neighbours import LabelledVideo, LabelledVideos, join_neighbours, labelled_videos
from tagtower.ranking.order import ByDistance, ByRanker, TagOrder
from tagtower.records import Example, Problems, TextField
from tagtower.towers import LoadedModel

RankerName: TypeAlias = Literal["tower", "hybrid"]


@final
class TagOrders:
    """Makes the orders of one model; the last one is kept, so that a library is prepared once."""

    def __init__(self, model: LoadedModel, ranking: Ranking, tags: TagVectors) -> None:
        self.ranking = ranking
        self._model = model
        self._tags = tags
        self._last: tuple[tuple[str, RankerName, frozenset[str]], LabelledVideos | None, TagOrder] | None = (
            None
        )

    def ranker(self, wanted: RankerName | None) -> RankerName:
        """Return what orders tags: what is `wanted`, by default the best that the model has.

        Raises:
            UsageError: the model has no ranker.
        """
        if wanted == "hybrid" and self.ranking.ranker is None:
            raise UsageError(
                "This model has no ranker.",
                hint="Train one with --set ranking.kind=hybrid, or use --ranker tower.",
            )
        return wanted or ("tower" if self.ranking.ranker is None else "hybrid")

    def neighbour_ids(self, ranker: RankerName, further: LabelledVideos | None = None) -> tuple[str, ...]:
        """Return the ids of the labelled videos that an order goes by; none under `tower`."""
        if ranker == "tower" or self.ranking.neighbours is None:
            return ()
        return self.ranking.neighbours.ids + (() if further is None else further.ids)

    def order(
        self,
        library: TagLibrary,
        ranker: RankerName | None = None,
        further: LabelledVideos | None = None,
        without: frozenset[str] = frozenset(),
    ) -> TagOrder:
        """Return the order of the tags of `library`.

        Args:
            further: labelled videos that join those of the model, with vectors of this model.
            without: ids of labelled videos that are left out, as those that are ranked.
        Raises:
            UsageError: the model has no ranker, and one or `further` neighbours were asked for; or no labelled video
                is left.
        """
        name = self.ranker(ranker)
        if further is not None and name == "tower":
            raise UsageError(
                "Labelled videos as neighbours mean nothing to the towers alone.",
                hint="Leave --neighbours away, or use a model with a ranker and --ranker hybrid.",
            )
        key = (library.version, name, without)
        if self._last is None or self._last[0] != key or self._last[1] is not further:
            self._last = key, further, self._make(library, name, further, without)
        return self._last[2]

    def _make(
        self,
        library: TagLibrary,
        name: RankerName,
        further: LabelledVideos | None,
        without: frozenset[str],
    ) -> TagOrder:
        distances = self._tags.index(library)
        calibration = self.ranking.calibrations.get(name)
        if name == "tower":
            return ByDistance(distances, ~seen_in_training(library, self._model.training_tags), calibration)
        ranker, neighbours = self.ranking.ranker, self.ranking.neighbours
        assert ranker is not None, "`ranker` refuses a model without"
        assert neighbours is not None, "`load_ranking` refuses a ranker without"
        if further is not None:
            neighbours = join_neighbours(neighbours, further)
        if without:
            neighbours = neighbours.take(
                [row for row, one in enumerate(neighbours.ids) if one not in without]
            )
        if not len(neighbours):
            raise UsageError(
                "The labelled videos that the ranker goes by are those that are to be ranked.",
                hint="Rank others, or use --ranker tower.",
            )
        source = CandidateSource(
            neighbours,
            tag_columns(neighbours, library),
            library.tags,
            distances,
            self._tags.encode(library.texts),
            self._model.tower.settings.ranking,
        )
        return ByRanker(source, ranker, neighbours, calibration)


def read_neighbours(
    model: LoadedModel,
    extractor: FeatureExtractor,
    examples: Sequence[Example],
    problems: Problems,
    *,
    without: Collection[str] = (),
) -> LabelledVideos:
    """Return the examples that have tags as neighbours; those that cannot be read are counted in `problems`.

    Args:
        without: ids of videos that are to be ranked or evaluated, which must not be their own neighbours.
    Raises:
        ManifestError: none is left.
    """
    barred = set(without)
    chosen = [one for one in examples if one.tags and one.video.id not in barred]
    kept: list[Example] = []
    vectors: list[np.ndarray] = []
    stream = extractor.extract(one.video for one in chosen)
    for example, one in zip(chosen, embed_videos(model.tower, stream), strict=True):
        if isinstance(one, Failed):
            problems.add("neighbours", f"left out: {one.error.message}")
        else:
            kept.append(example)
            vectors.append(one.vector)
    if not kept:
        raise ManifestError(
            f"None of the {len(examples)} videos can be a neighbour.",
            hint="Neighbours need tags, must be readable, and are never among the videos that are evaluated.",
        )
    fields = model.tower.settings.ranking.fields
    return labelled_videos([labelled_video(one, fields) for one in kept], np.stack(vectors))


def labelled_video(example: Example, fields: Sequence[TextField]) -> LabelledVideo:
    """Return an example as ranking knows it."""
    texts = words_of(example.video, fields).texts
    return LabelledVideo(example.video.id, example.tags, " ".join(texts.values()), example.published)


def tag_columns(neighbours: LabelledVideos, library: TagLibrary) -> np.ndarray:
    """Return the place in `library` of each tag that neighbours have, -1 for one that is not there."""
    places = (library.index_of(text) for text in neighbours.tag_texts)
    return np.array([-1 if place is None else place for place in places], np.int64)


def seen_in_training(library: TagLibrary, training_tags: Sequence[str]) -> np.ndarray:
    """Return for each tag of `library` whether it occurred in training."""
    known = {normalize_tag(tag) for tag in training_tags}
    return np.array([normalize_tag(text) in known for text in library.texts], bool)


def parse_ranker(name: str | None) -> RankerName | None:
    """Return a ranker's name as typed by a person; None is the model's best.

    Raises:
        UsageError: it is none of them.
    """
    names: tuple[RankerName, ...] = get_args(RankerName)
    for known in names:
        if name == known:
            return known
    if name is not None:
        raise UsageError(f"There is no ranker {name!r}.", hint=f"Rankers: {', '.join(names)}.")
    return None
