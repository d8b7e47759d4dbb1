"""Giving videos of the failed shelf another chance."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from tagtower.library.shelves import retry_failed
from tagtower.usecases.installation.home import Installation


@dataclass(frozen=True, slots=True)
class Retried:
    """How many videos were put back on the unlabelled shelf."""

    videos: int

    def to_json(self) -> dict[str, Any]:
        """Return the count."""
        return {"videos": self.videos}


def retry(
    installation: Installation,
    *,
    ids: Collection[int] | None = None,
    kinds: Collection[str] | None = None,
) -> Retried:
    """Put failed videos back on the unlabelled shelf as if they were new, all of them or those named.

    Args:
        ids: only these.
        kinds: only those whose last failure was of one of these types, such as `missing` or `timeout`.
    """
    with installation.database.write() as connection:
        return Retried(retry_failed(connection, now=installation.clock(), ids=ids, kinds=kinds))
