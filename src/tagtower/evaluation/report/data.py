"""What an evaluation report says, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tagtower.evaluation.gates import GateWeights
from tagtower.evaluation.metrics import EvaluationResult, VideoScores
from tagtower.evaluation.reliability import Calibrated
from tagtower.records import Evidence, ModalityEvidence


@dataclass(frozen=True, slots=True)
class EpochPoint:
    """A round of training: its mean loss, validation nDCG@10, and the share of triplets with a loss above 0.

    The last is None under a loss that has no hinge.
    """

    epoch: int
    loss: float
    validation_ndcg: float | None = None
    active_hinges: float | None = None


@dataclass(frozen=True, slots=True)
class ProposedTag:
    """A tag that the model proposes for a video; `hit` says whether the video has it, `evidence` what spoke for it."""

    tag: str
    distance: float
    hit: bool
    seen: bool
    evidence: Evidence = field(default_factory=Evidence)


@dataclass(frozen=True, slots=True)
class MissedTag:
    """A tag that the video has and the model ranks, from 1, behind those that it proposes."""

    tag: str
    rank: int
    seen: bool


@dataclass(frozen=True, slots=True)
class VideoCard:
    """A video beside its proposed and missed tags. The thumbnail is a JPEG or PNG file, or None."""

    id: str
    title: str | None
    ndcg: float
    thumbnail: bytes | None
    proposed: tuple[ProposedTag, ...]
    missed: tuple[MissedTag, ...]

    @property
    def modalities(self) -> tuple[ModalityEvidence, ...]:
        """The modalities of the video with the gate's weights, which are the same for all of its tags."""
        return self.proposed[0].evidence.modalities if self.proposed else ()


@dataclass(frozen=True, slots=True)
class TagRow:
    """A tag of the library and how it fares; None where there is nothing to measure it by."""

    tag: str
    seen: bool
    support: int
    proposed: int
    hits: int
    recall: float | None
    precision: float | None
    average_precision: float | None
    mean_rank: float | None


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything that the report says.

    `scores` are those of every video over all tags; `best` and `worst` are the videos to be shown. `facts`
    are groups of labelled values (group -> label -> value), `settings` the model's settings by their keys.
    """

    title: str
    created: datetime
    split: str
    result: EvaluationResult
    scores: VideoScores
    seen_tags: int
    unseen_tags: int
    best: tuple[VideoCard, ...] = ()
    worst: tuple[VideoCard, ...] = ()
    tags: tuple[TagRow, ...] = ()
    gates: GateWeights | None = None
    calibration: Calibrated | None = None
    training: tuple[EpochPoint, ...] = ()
    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
