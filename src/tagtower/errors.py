"""Every failure that TagTower expects, as one exception tree.

    TagTowerError
    ├── UsageError                  the caller asked for something that cannot be
    │   ├── ConfigError             a setting is unknown, malformed or contradicts another
    │   └── MissingExtraError       an optional dependency is not installed
    ├── InputError                  something handed in is unusable; it names the file, line or field
    │   ├── MediaError              a media file
    │   ├── ManifestError           a manifest or one of its rows
    │   ├── TagLibraryError         a tag library or one of its entries
    │   └── FeedError               a feed of headlines
    ├── ModelError                  a model folder is missing, incomplete, altered or of another version
    │   └── FingerprintError        vectors of two different models were about to be mixed
    ├── OfflineError                a hub name was given and the hub cannot be reached
    ├── StorageError                the disk is full, read-only, or a stored file is damaged
    │   └── DatabaseError           the database is gone, locked, full, or of another version
    ├── FetchError                  something outside may not, or cannot, be fetched
    ├── NotFoundError               there is no such tag, video, model or feed
    ├── ConflictError               someone else has changed the same thing, or it is in another state
    └── TrainingError               training cannot start or go on

An expected failure says what happened and, in `hint`, what to do next. Anything else that is raised is a bug.
"""

from __future__ import annotations

from typing import Literal

MediaCause = Literal[
    "missing",  # no such file
    "unreadable",  # the file exists but may not be read, or is no regular file
    "empty",  # zero bytes
    "not-media",  # no container that can be opened
    "no-streams",  # a container with neither pictures nor sound
    "damaged",  # a decoder gave up
    "too-large",  # over a cap on pixels, streams or duration
    "timeout",  # over the deadline
    "memory",  # over the memory limit
    "crash",  # the decoder process died
]


class TagTowerError(Exception):
    """A failure that is expected; `hint` says what to do about it."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class UsageError(TagTowerError):
    """The call itself is wrong; nothing was done."""


class ConfigError(UsageError):
    """A setting is unknown, malformed, or contradicts another."""


class MissingExtraError(UsageError):
    """An optional dependency is missing; the message names the extra that brings it."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs an optional dependency that is not installed.",
            hint=f'Install it with: pip install "tagtower[{extra}]"',
        )
        self.extra = extra


class InputError(TagTowerError):
    """Something handed in cannot be used; the message names the file and, where known, line and field."""


class MediaError(InputError):
    """One media file cannot be used. `path` names it, `cause` classifies the reason."""

    def __init__(self, path: str, cause: MediaCause, reason: str, *, hint: str | None = None) -> None:
        super().__init__(f"{path}: {reason}", hint=hint)
        self.path = path
        self.cause: MediaCause = cause
        self.reason = reason


class ManifestError(InputError):
    """A manifest, or one row of it, cannot be used."""


class TagLibraryError(InputError):
    """A tag library, or one entry of it, cannot be used."""


class FeedError(InputError):
    """A feed of headlines cannot be used."""


class ModelError(TagTowerError):
    """A model folder is missing, incomplete, altered, or written by another version."""


class FingerprintError(ModelError):
    """Vectors made by different models were about to be compared."""


class OfflineError(TagTowerError):
    """A hub name was given and the hub cannot be reached."""


class StorageError(TagTowerError):
    """The disk is full or read-only, or a stored file is damaged."""


class DatabaseError(StorageError):
    """The database of an installation is gone, locked, full, or of another version."""


class FetchError(TagTowerError):
    """Something outside may not be fetched, or cannot: a feed, or a video by its address."""


class NotFoundError(TagTowerError):
    """There is no such tag, video, model or feed."""


class ConflictError(TagTowerError):
    """Someone else has changed the same thing meanwhile, or its state does not allow what was asked."""


class TrainingError(TagTowerError):
    """Training cannot start or cannot go on."""
