"""Videos as they are told, handed in, judged and erased."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tagtower.client.decoding import HEADER


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoTag:
    """A tag that a video shows. `origin` is `person` or `model`; `distance` and `score` (a probability in [0, 1], where
    the model is calibrated) are the model's. `evidence` is told of one video, not of lists.
    """

    tag: str
    id: int
    origin: str
    distance: float | None
    score: float | None
    evidence: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Where media and pictures of a video are to be had, as paths of the server; None where there are none."""

    media: str | None
    thumbnail: str | None
    strip: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """A video of a list.

    `shelf` is `unlabelled`, `labelled` or `failed`. `bytes` is the size of its media, `content_hash` their SHA-256 in
    hex. `facts` are what the file says of itself (`seconds`, `width`, `height`, `pictures`, `sound`). `distance` is to
    the video that others are to be like, in an answer about that.
    """

    id: int
    title: str | None
    shelf: str
    added: datetime
    shelved: datetime
    published: datetime | None
    content_hash: str | None
    stored: bool
    bytes: int | None
    facts: dict[str, Any] | None
    attempts: int
    error: dict[str, Any] | None
    tags: tuple[VideoTag, ...]
    links: Links
    distance: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A person's last word on a tag of a video; `state` is that of the tag today."""

    tag: str
    id: int
    verdict: str
    author: str
    at: datetime
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A name that an owner has for a video."""

    owner: str
    name: str
    title: str | None
    added: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoDetail(Video):
    """All that is known of a video; `etag` is the same until something of that changes.

    `model` is the fingerprint of the model whose suggestions are shown, `library` the version of the tag library.
    """

    description: str | None
    subtitles: str | None
    verdicts: tuple[Said, ...]
    references: tuple[Reference, ...]
    model: str | None
    library: int
    etag: str | None = field(default=None, metadata={HEADER: "etag"})


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoPage:
    """Some videos, and the cursor of those that follow."""

    videos: tuple[Video, ...]
    next: str | None

    @property
    def items(self) -> tuple[Video, ...]:
        """The videos."""
        return self.videos


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A video that is in the library: its number and name. `outcome` is `new`, `joined` (a further name of one that was
    there), `known` or `changed`; `remarks` say what was odd.
    """

    id: int
    name: str
    outcome: str
    labels: int
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file on its way in: `offset` of `length` bytes are there. `result` is what became of it, once complete."""

    id: str
    length: int | None
    offset: int
    result: Sent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenVerdict:
    """A word that was given just now, and the one before it."""

    video: int
    tag: str
    tag_id: int
    verdict: str
    before: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Verdicts that were kept, and the video as it is since."""

    verdicts: tuple[GivenVerdict, ...]
    video: VideoDetail


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """The proof of an erasure: counts of what was removed and of what was searched afterwards, by kind."""

    video: int
    whole: bool
    removed: dict[str, int]
    checked: dict[str, int]
