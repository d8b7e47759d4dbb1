"""What a worker tells while it works, and what it has done in the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a worker did or met.

    `kind` is `model`, `labelled`, `failed`, `trouble`, `chore` or `idle`; `facts` say more, as JSON has it.
    """

    kind: str
    facts: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the event as one object."""
        return {"event": self.kind, **self.facts}


Listener: TypeAlias = Callable[[Event], None]


@dataclass(slots=True)
class WorkerReport:
    """What a worker did: videos labelled, given up for good, and put off for another attempt; and for how long."""

    name: str
    labelled: int = 0
    failed: int = 0
    postponed: int = 0
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the counts."""
        return {
            "worker": self.name,
            "labelled": self.labelled,
            "failed": self.failed,
            "postponed": self.postponed,
            "seconds": round(self.seconds, 3),
        }
