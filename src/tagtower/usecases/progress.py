"""How a use case tells that it moves on, without knowing who listens."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Progress(Protocol):
    """Hears what a long piece of work is doing. One phase runs at a time."""

    def phase(self, name: str, total: int | None) -> None:
        """A phase begins; `total` is its number of steps, or None where that is unknown."""
        ...

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Steps of the current phase are done; `note` is a short figure to show beside it."""
        ...

    def tell(self, text: str) -> None:
        """Something a person should know and that will not be repeated."""
        ...


class Silent:
    """Hears everything and says nothing."""

    def phase(self, name: str, total: int | None) -> None:
        """Do nothing."""

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Do nothing."""

    def tell(self, text: str) -> None:
        """Do nothing."""
