"""What training asks of its examples: their tags as written, and their features under a draw of frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

from tagtower.towers.inputs import VideoFeatures


@runtime_checkable
class ExampleFeatures(Protocol):
    """The examples of one split. Features may lie in memory, in a store, or be decoded when asked for."""

    def __len__(self) -> int:
        """How many examples there are."""
        ...

    def tags(self, index: int) -> tuple[str, ...]:
        """The tags of an example as written."""
        ...

    def rejected(self, index: int) -> tuple[str, ...]:
        """The tags that were found wrong for an example, as written."""
        ...

    def title(self, index: int) -> str | None:
        """The title of an example, None where it has none."""
        ...

    def features(self, index: int, draw: int) -> VideoFeatures:
        """The features of an example under the `draw`-th random frames, or the centre frames (`CENTRE`)."""
        ...


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The examples to learn from, and those that decide which weights are kept."""

    train: ExampleFeatures
    val: ExampleFeatures


@final
@dataclass(frozen=True, slots=True)
class SomeExamples:
    """Some of other examples, by their places there, in that order."""

    all: ExampleFeatures
    places: Sequence[int]

    def __len__(self) -> int:
        return len(self.places)

    def tags(self, index: int) -> tuple[str, ...]:
        """Return the tags of an example."""
        return self.all.tags(self.places[index])

    def rejected(self, index: int) -> tuple[str, ...]:
        """Return the tags that were found wrong for an example."""
        return self.all.rejected(self.places[index])

    def title(self, index: int) -> str | None:
        """Return the title of an example."""
        return self.all.title(self.places[index])

    def features(self, index: int, draw: int) -> VideoFeatures:
        """Return the features of an example."""
        return self.all.features(self.places[index], draw)


@final
@dataclass(frozen=True, slots=True)
class MemoryExamples:
    """Examples in memory that have the same features under every draw."""

    listed_tags: Sequence[tuple[str, ...]]
    listed_features: Sequence[VideoFeatures]
    listed_titles: Sequence[str | None] = ()
    listed_rejected: Sequence[tuple[str, ...]] = ()

    def __len__(self) -> int:
        return len(self.listed_tags)

    def tags(self, index: int) -> tuple[str, ...]:
        """Return the tags of an example."""
        return self.listed_tags[index]

    def rejected(self, index: int) -> tuple[str, ...]:
        """Return the tags that were found wrong for an example; none where none are listed."""
        return self.listed_rejected[index] if self.listed_rejected else ()

    def title(self, index: int) -> str | None:
        """Return the title of an example, None where no titles are listed."""
        return self.listed_titles[index] if self.listed_titles else None

    def features(self, index: int, draw: int) -> VideoFeatures:
        """Return the features of an example."""
        return self.listed_features[index]
