"""What is asked of the active model about videos that are not stored, and who answers; without the model itself."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, final, runtime_checkable

from tagtower.errors import TagTowerError
from tagtower.usecases.installation.home import Installation


@dataclass(frozen=True, slots=True)
class Question:
    """A video that tags are wanted for: a file of this machine, words, or both."""

    media: Path | None = None
    title: str | None = None
    description: str | None = None
    subtitles: str | None = None


@dataclass(frozen=True, slots=True)
class Recommended:
    """The tags for a question, best first, or why there are none; under which model and tag library."""

    tags: tuple[dict[str, Any], ...]
    modalities: dict[str, float]
    model: str
    library_version: int
    error: TagTowerError | None = None

    def to_json(self, *, evidence: bool = True) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        found: dict[str, Any] = {"model": self.model, "library": self.library_version}
        if self.error is not None:
            error = {
                "type": type(self.error).__name__,
                "message": self.error.message,
                "hint": self.error.hint,
            }
            return {**found, "error": error}
        tags = [{name: tag[name] for name in tag if evidence or name != "evidence"} for tag in self.tags]
        return {**found, "tags": tags, "modalities": self.modalities}


@runtime_checkable
class Answering(Protocol):
    """The active model, ready for questions; threads may share it."""

    def recommend(self, questions: Sequence[Question], *, top_k: int = 5) -> list[Recommended]:
        """Return the tags for each question, in order.

        Raises:
            ConflictError: there is no active model.
        """
        ...

    def preview(
        self,
        text: str,
        aliases: Sequence[str] = (),
        *,
        description: str | None = None,
        threshold: float | None = None,
        shown: int = 10,
    ) -> dict[str, Any]:
        """Return on which stored videos a tag would be suggested, if it were added, as JSON has it.

        Raises:
            ConflictError: there is no active model.
        """
        ...

    def warm(self) -> None:
        """Open the model now."""
        ...

    def close(self) -> None:
        """Close the model."""
        ...


@final
class LazyRecommender:
    """Answers with the active model, which takes seconds to import and open: when it is first wanted."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._lock = threading.Lock()
        self._made: Answering | None = None

    def recommend(self, questions: Sequence[Question], *, top_k: int = 5) -> list[Recommended]:
        """Return the tags for each question, in order."""
        return self._own().recommend(questions, top_k=top_k)

    def preview(
        self,
        text: str,
        aliases: Sequence[str] = (),
        *,
        description: str | None = None,
        threshold: float | None = None,
        shown: int = 10,
    ) -> dict[str, Any]:
        """Return on which stored videos a tag would be suggested, if it were added."""
        return self._own().preview(text, aliases, description=description, threshold=threshold, shown=shown)

    def warm(self) -> None:
        """Open the model now."""
        self._own().warm()

    def close(self) -> None:
        """Close the model if it was opened."""
        with self._lock:
            if self._made is not None:
                self._made.close()

    def _own(self) -> Answering:
        with self._lock:
            if self._made is None:
                from tagtower.usecases.installation.recommend import Recommender

                self._made = Recommender(self._installation)
            return self._made
