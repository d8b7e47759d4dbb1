"""Work that workers do between batches of videos, beside labelling: what it has to look like, and what there is."""

from __future__ import annotations

import random
import time
from typing import Protocol, final, runtime_checkable

from tagtower.library.vectors import vector_store
from tagtower.usecases.installation.building import Builds
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.labelling import Labeller
from tagtower.usecases.installation.retro import run_sweeps
from tagtower.usecases.installation.webhooks import Deliveries

UPKEEP_SECONDS = 600.0


@runtime_checkable
class Chore(Protocol):
    """Work that workers share, done a little at a time. Several workers may ask for it at once."""

    @property
    def name(self) -> str:
        """What it is called in events."""
        ...

    def run_once(self, installation: Installation, labeller: Labeller | None) -> bool:
        """Do some of the work, for a few seconds at most, and return whether there was any.

        Args:
            labeller: the active model at work, None where there is no active model.
        Raises:
            TagTowerError: it failed; it is asked again later.
        """
        ...

    def close(self) -> None:
        """Let go of what it has open; it may be asked again."""
        ...


@final
class Sweeps:
    """Looks for the stored videos that new tags fit."""

    name = "sweeps"

    def run_once(self, installation: Installation, labeller: Labeller | None) -> bool:
        """Do the sweeps of some tags."""
        return labeller is not None and bool(
            run_sweeps(installation, labeller.session, vectors=labeller.vectors)
        )

    def close(self) -> None:
        """Do nothing: it has nothing open."""


@final
class Upkeep:
    """Looks after the files of vectors: what a killed program left to be overwritten, and room to be freed."""

    name = "upkeep"

    def __init__(self) -> None:
        self._due = time.monotonic() + UPKEEP_SECONDS * random.random()

    def run_once(self, installation: Installation, labeller: Labeller | None) -> bool:
        """Look once in a while."""
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + UPKEEP_SECONDS
            vector_store(installation.database, installation.vectors).tidy()
        return False

    def close(self) -> None:
        """Do nothing: it has nothing open."""


def standard_chores() -> list[Chore]:
    """Return the chores of a worker that was not told otherwise."""
    return [Sweeps(), Builds(), Upkeep(), Deliveries()]
