"""Plain values that travel between the parts; they know no files, no tensors and no settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

Modality: TypeAlias = Literal["image", "audio", "text"]
MODALITIES: tuple[Modality, ...] = ("image", "audio", "text")
"""Every modality, in the order in which tensors, tables and reports list them."""

TextField: TypeAlias = Literal["title", "description", "subtitles"]
TEXT_FIELDS: tuple[TextField, ...] = ("title", "description", "subtitles")
"""Every text of a video that the text expert may read, in the order in which tensors list them."""

Split: TypeAlias = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag of the library as its owner wrote it."""

    text: str
    aliases: tuple[str, ...] = ()
    description: str | None = None
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class Video:
    """A video as someone hands it in: where its media lie and what is written about it.

    `media` is an absolute path or a URI, or None for a video that is known by its title alone. `subtitles` are their
    text, or the absolute path of a subtitle file.
    """

    id: str
    media: str | None = None
    title: str | None = None
    description: str | None = None
    subtitles: str | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """A manifest row: a video, its tags as written, and where it belongs. `line` is 1-based, 0 if unknown.

    `rejected` are tags that somebody looked at and found wrong; of all others nobody may have thought.
    """

    video: Video
    tags: tuple[str, ...] = ()
    group: str | None = None
    split: Split | None = None
    published: datetime | None = None
    line: int = 0
    rejected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NeighbourEvidence:
    """A labelled video that has the tag, and its share among all similar ones, in [0, 1]."""

    id: str
    weight: float


@dataclass(frozen=True, slots=True)
class MentionEvidence:
    """Words of the tag, or of one of its aliases, that stand in a text of the video, and in which."""

    text: str
    field: str


@dataclass(frozen=True, slots=True)
class ModalityEvidence:
    """What a modality did for a tag: the gate's weight for it, in [0, 1], and how much farther the tag is without it.

    `gain` is a difference of distances, negative where the modality speaks against the tag, and None where it is the
    only one.
    """

    modality: Modality
    weight: float
    gain: float | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What spoke for a tag: similar labelled videos, the weightiest first, mentions, modalities, and a moment.

    `second` is when the frame is shown that fits the tag best (seconds after the start), None without pictures.
    """

    neighbours: tuple[NeighbourEvidence, ...] = ()
    mentions: tuple[MentionEvidence, ...] = ()
    modalities: tuple[ModalityEvidence, ...] = ()
    second: float | None = None


@dataclass(frozen=True, slots=True)
class RankedTag:
    """A tag in a ranked answer.

    `rank` counts from 1. `distance` is the towers' own. `score` is a calibrated probability in [0, 1], or None
    where the model has no calibration. Neighbours and mentions are no evidence where the order is the towers' own.
    """

    tag: str
    rank: int
    distance: float
    score: float | None = None
    evidence: Evidence = Evidence()


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong that did not stop the work: where (file, line, field) and what."""

    where: str
    what: str


@dataclass(slots=True)
class Problems:
    """Problems gathered on the way: all are counted, the first `keep` are kept to be shown."""

    keep: int = 50
    count: int = 0
    first: list[Problem] = field(default_factory=list)

    def add(self, where: str, what: str) -> None:
        """Count a problem, and keep it if it is among the first."""
        self.count += 1
        if len(self.first) < self.keep:
            self.first.append(Problem(where, what))
