"""Which tags belong to each video, and which may never be held against it: by its labels, or by its title alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import TypeAlias, final

from tagtower.config import PositiveSettings, Settings
from tagtower.errors import TrainingError
from tagtower.library.tags import TagLibrary
from tagtower.training.batches import TagFeatures
from tagtower.training.dataset import ExampleFeatures
from tagtower.training.mining import OwnTags
from tagtower.training.own_tags import own_tags, rejected_tags
from tagtower.training.similarity import SIMILARITIES, Similarity


@dataclass(frozen=True, slots=True)
class Belonging:
    """Each video's positives, and the tags that are never its negatives: these, and those that may be right.

    `rejected` are tags that somebody found wrong for it, none of them barred: its surest negatives. `line` says how all
    were found, for a person; empty where labels say so.
    """

    own: OwnTags
    barred: OwnTags
    rejected: OwnTags
    line: str = ""


Positives: TypeAlias = Callable[[ExampleFeatures, TagLibrary], Belonging]
"""Says what belongs to each of the examples among the tags of the library of the day."""


def labelled(examples: ExampleFeatures, library: TagLibrary) -> Belonging:
    """Return what the examples' own tags, as written, say."""
    own = own_tags(examples, library)
    return Belonging(own, own, rejected_tags(examples, library))


@final
@dataclass(frozen=True, slots=True)
class SimilarToTitle:
    """Takes the tags whose similarity to the title exceeds `above` as positives, those below `below` as negatives.

    The tags in between are neither. A tag counts by the most similar of its name and aliases. Labels are not looked
    at, but for rejected tags, which are negatives whatever the title. A video without a title has nothing.

    Source: US patent 12,394,226 B2, with 0.9 and 0.5.
    """

    settings: PositiveSettings
    similarity: Similarity

    def __call__(self, examples: ExampleFeatures, library: TagLibrary) -> Belonging:
        """Return what the titles say.

        Raises:
            TrainingError: no title is near enough to any tag, or each is too near to every one.
        """
        names, tags = _names(library)
        own: list[list[int]] = [[] for _ in range(len(examples))]
        barred: list[list[int]] = [[] for _ in range(len(examples))]
        titled = {row: text for row in range(len(examples)) if (text := (examples.title(row) or "").strip())}
        best: list[float] = []
        found = self.similarity(list(titled.values()), names, self.settings.below) if titled else ()
        wrong = rejected_tags(examples, library)
        for row, (near, values, nearest) in zip(titled, found, strict=True):
            refused = set(wrong.tags[wrong.offsets[row] : wrong.offsets[row + 1]].tolist())
            barred[row] = [tag for tag in (tags[name] for name in near) if tag not in refused]
            right = (tags[name] for name in near[values > self.settings.above])
            own[row] = [tag for tag in right if tag not in refused]
            best.append(nearest)
        chosen = Belonging(OwnTags.from_lists(own), OwnTags.from_lists(barred), wrong)
        self._check(chosen, best, len(library))
        return replace(chosen, line=self._line(chosen, best))

    def _check(self, chosen: Belonging, best: Sequence[float], tags: int) -> None:
        if not len(chosen.own.tags):
            nearest = (
                f"the nearest has {max(best):.2f}, and half of the titles have a tag at {median(best):.2f} or above"
                if best
                else "none of the videos has a title"
            )
            raise TrainingError(
                f"No title of {len(chosen.own):,} videos is more similar to a tag than positives.above="
                f"{self.settings.above:g}, by {self.settings.similarity}: {nearest}.",
                hint="Lower positives.above, choose the other positives.similarity (vectors or words), or give the "
                "manifest tags and set positives.source to labels.",
            )
        if bool((chosen.barred.counts >= tags).all()):
            raise TrainingError(
                f"Every tag is at least positives.below={self.settings.below:g} similar to every title, so there is "
                "no negative.",
                hint="Raise positives.below, or give the library tags that do not fit.",
            )

    def _line(self, chosen: Belonging, best: Sequence[float]) -> str:
        videos = int((chosen.own.counts > 0).sum())
        between = len(chosen.barred.tags) - len(chosen.own.tags)
        settings = self.settings
        return (
            f"{len(chosen.own.tags):,} positives for {videos:,} of {len(chosen.own):,} videos, by the "
            f"{settings.similarity} of their titles (above {settings.above:g}); {between:,} tags in between are "
            f"neither; half of the titles have a tag at {median(best):.2f} or above"
        )


def build_positives(settings: Settings, features: TagFeatures) -> Positives:
    """Return what says which tags belong to a video; `features` reads texts as the tag tower does."""
    chosen = settings.positives
    if chosen.source == "labels":
        return labelled
    return SimilarToTitle(chosen, SIMILARITIES[chosen.similarity](features))


def _names(library: TagLibrary) -> tuple[list[str], list[int]]:
    """Every name and alias of the library, and the place of its tag."""
    pairs = [
        (name, place)
        for place, tag in enumerate(library.tags)
        for name in (library.texts[place], *tag.aliases)
    ]
    return [name for name, _ in pairs], [place for _, place in pairs]
