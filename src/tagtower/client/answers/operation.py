"""Recommendations, models, events, webhooks, feeds, and the server itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RecommendedTag:
    """A tag that fits: `rank` from 1, `distance` between the towers, `score` a probability in [0, 1] or None."""

    tag: str
    rank: int
    distance: float
    score: float | None
    evidence: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecommendError:
    """Why one of many got no tags."""

    type: str
    message: str
    hint: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """Tags, best first, under which model and version of the library; `modalities` are the weights of the gate."""

    model: str
    library: int
    tags: tuple[RecommendedTag, ...] = ()
    modalities: dict[str, float] | None = None
    error: RecommendError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model; `built` of `labelled` videos tells how far it has come, `failed` which of them it could not see."""

    id: int
    name: str
    state: str
    fingerprint: str
    vector_fingerprint: str
    width: int
    distance: str
    added_at: datetime
    promoted_at: datetime | None
    labelled: int
    built: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Switched:
    """The model that is active now, the one before, and how many labelled videos it has not seen."""

    active: str
    before: str | None
    missing: int
    sweeps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFigures:
    """How a model did by what persons said; None where there was nothing to count."""

    model: str
    state: str
    labelled: int
    built: int
    precision: float | None
    found: float | None
    refused: float | None
    calibration_error: float | None
    answered: float | None
    shown: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two models over the same videos; `overlap` and `same_first` are shares in [0, 1]."""

    k: int
    judged: int
    sample: int
    overlap: float | None
    same_first: float | None
    models: tuple[ModelFigures, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened: `video.labelled`, `video.failed`, `tag.added`, `tag.changed` or `model.promoted`."""

    id: int
    at: datetime
    kind: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """Some events; `next` is what to give as `after` for those that follow."""

    events: tuple[Event, ...]
    next: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An address that events are sent to; `secret` is told only when it is made."""

    id: int
    url: str
    kinds: tuple[str, ...]
    allow_private: bool
    created: datetime
    sent: int
    next: datetime | None
    failures: int
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWebhook(Webhook):
    """An address that was just added, with the secret that its messages are signed with."""

    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A feed that hot topics come from."""

    id: int
    url: str
    kind: str
    state: str
    policy: str
    allow_private: bool
    every_seconds: int
    keep_seconds: int
    polled_at: datetime | None
    next_at: datetime
    failures: int
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether the server can work, and what of it is there."""

    status: str
    database: bool
    model: bool

    @property
    def ready(self) -> bool:
        """Whether everything is there."""
        return self.status == "ready"
