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
from tagtower.ranking.features import CandidateSource, NeighbourSide
from tagtower.ranking.folder import Ranking
from tagtower.ranking.lexicon import TagLexicon
from tagtower.ranking.neighbours import LabelledVideo, LabelledVideos, join_neighbours, labelled_videos
from tagtower.ranking.order import ByDistance, ByRanker, TagOrder
from tagtower.records import Example, Problems, TextField
from tagtower.towers import LoadedModel

RankerName: TypeAlias = Literal["tower", "hybrid"]


@final
class TagOrders:
    """Makes the orders of one model.

    The last one is kept, so that a library is prepared once, and with it all that the next one may share: what was read
    of each tag, the vectors of tags, and the labelled videos. A changed library costs what its changes cost.
    """

    def __init__(self, model: LoadedModel, ranking: Ranking, tags: TagVectors) -> None:
        self.ranking = ranking
        self._model = model
        self._tags = tags
        self._lexicon = TagLexicon()
        self._side: tuple[LabelledVideos | None, NeighbourSide, tuple[str, ...]] | None = None
        self._last: tuple[tuple[str, RankerName, LabelledVideos | None], TagOrder] | None = None

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

    def order(
        self, library: TagLibrary, ranker: RankerName | None = None, further: LabelledVideos | None = None
    ) -> TagOrder:
        """Return the order of the tags of `library`.

        Args:
            further: labelled videos that join those of the model, with vectors of this model.
        Raises:
            UsageError: the model has no ranker, and one or `further` neighbours were asked for.
        """
        name = self.ranker(ranker)
        if further is not None and name == "tower":
            raise UsageError(
                "Labelled videos as neighbours mean nothing to the towers alone.",
                hint="Leave --neighbours away, or use a model with a ranker and --ranker hybrid.",
            )
        key = (library.version, name, further)
        if self._last is None or self._last[0][:2] != key[:2] or self._last[0][2] is not further:
            self._last = key, self._make(library, name, further)
        return self._last[1]

    def _make(self, library: TagLibrary, name: RankerName, further: LabelledVideos | None) -> TagOrder:
        calibration = self.ranking.calibrations.get(name)
        if name == "tower":
            new = ~seen_in_training(library, self._model.training_tags)
            return ByDistance(self._tags.index(library), new, calibration)
        ranker, neighbours = self.ranking.ranker, self.ranking.neighbours
        assert ranker is not None, "`ranker` refuses a model without"
        assert neighbours is not None, "`load_ranking` refuses a ranker without"
        if self._side is None or self._side[0] is not further:
            joined = neighbours if further is None else join_neighbours(neighbours, further)
            keys = tuple(normalize_tag(text) for text in joined.tag_texts)
            self._side = further, NeighbourSide(joined), keys
        _, side, keys = self._side
        source = CandidateSource(
            side,
            key_columns(keys, library),
            library.tags,
            self._tags.space(library),
            self._model.tower.settings.ranking,
            self._lexicon,
        )
        return ByRanker(source, ranker, calibration)


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
    return key_columns([normalize_tag(text) for text in neighbours.tag_texts], library)


def key_columns(keys: Sequence[str], library: TagLibrary) -> np.ndarray:
    """Return the place in `library` of each tag of which `keys` has the normal form, -1 for one that is not there."""
    places = (library.index_of_key(key) for key in keys)
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
