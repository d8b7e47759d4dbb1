"""Training examples whose features lie in the feature store, with as many in memory as fit."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import final

from tagtower.errors import StorageError
from tagtower.features.store import FeatureKey, FeatureStore
from tagtower.pipeline.extract import Extracted
from tagtower.records import Example
from tagtower.towers import VideoFeatures

MEMORY_BYTES = 2 << 30
"""Features up to this size are held in memory; an epoch then reads nothing from the store."""


@dataclass(slots=True)
class _Entry:
    """One example: its features by draw while in memory, and where the store has them otherwise; texts always."""

    example: Example
    memory: tuple[VideoFeatures, ...] | None
    keys: tuple[dict[str, FeatureKey], ...]
    words: VideoFeatures


@final
@dataclass(slots=True)
class StoredExamples:
    """The examples of one split in order, each with its tags as written and its features by draw."""

    store: FeatureStore
    draws: tuple[int, ...]
    entries: list[_Entry] = field(default_factory=list)
    bytes_held: int = 0

    def add(self, example: Example, extracted: Extracted) -> None:
        """Add an example whose features were extracted with this object's `draws`."""
        size = sum(
            array.nbytes
            for one in extracted.features
            for array in (one.image, one.audio)
            if array is not None
        )
        held = extracted.features if self.bytes_held + size <= MEMORY_BYTES else None
        if held is not None:
            self.bytes_held += size
        words = extracted.features[0].only(["text"])
        self.entries.append(_Entry(example, held, extracted.keys, words))

    @property
    def examples(self) -> list[Example]:
        """The examples, in their order."""
        return [entry.example for entry in self.entries]

    def __len__(self) -> int:
        return len(self.entries)

    def tags(self, index: int) -> tuple[str, ...]:
        """Return the tags of an example as written."""
        return self.entries[index].example.tags

    def rejected(self, index: int) -> tuple[str, ...]:
        """Return the tags that were found wrong for an example."""
        return self.entries[index].example.rejected

    def title(self, index: int) -> str | None:
        """Return the title of an example."""
        return self.entries[index].example.video.title

    def features(self, index: int, draw: int) -> VideoFeatures:
        """Return the features of an example under one of the draws.

        Raises:
            StorageError: the store was pruned since the features were extracted.
        """
        entry = self.entries[index]
        place = self.draws.index(draw)
        if entry.memory is not None:
            return entry.memory[place]
        keys = entry.keys[place]
        found = self.store.get_many(list(keys.values()))
        if len(found) < len(keys):
            raise StorageError(
                f"The feature store at {self.store.path} lost features while training was running.",
                hint="Do not prune it meanwhile. Go on with --resume: what is missing is extracted again.",
            )
        return replace(
            entry.words,
            image=found[keys["image"]] if "image" in keys else None,
            audio=found[keys["audio"]] if "audio" in keys else None,
        )
