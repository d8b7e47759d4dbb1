"""TagTower: tags videos from a tag library that changes by the minute, with one two-tower model.

from tagtower import TagTower

tower = TagTower.from_pretrained("model")
tower.label(["match.mp4"], ["football", "interview"], top_k=1)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tagtower.records import RankedTag, Tag, Video

if TYPE_CHECKING:
    from tagtower.faces.python import TagTower

__all__ = ["RankedTag", "Tag", "TagTower", "Video"]


def __getattr__(name: str) -> Any:
    """Import the class on first use: `import tagtower` alone stays free of torch."""
    if name == "TagTower":
        return import_module("tagtower.faces.python").TagTower
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
