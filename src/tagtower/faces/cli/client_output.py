"""How what a server answers is shown: dataclasses as JSON, tags as a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tagtower.faces.cli.video_searches import shown_score

if TYPE_CHECKING:
    from tagtower.client.answers.operation import RecommendedTag
    from tagtower.client.answers.videos import VideoTag


def plain(value: Any) -> Any:
    """Return an answer as JSON has it; what a client reads from headers is left out."""
    if is_dataclass(value):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value) if not one.metadata}
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return value.isoformat() if isinstance(value, datetime) else value


def tag_line(tags: Sequence[VideoTag | RecommendedTag]) -> str:
    """Return tags on one line, each with its probability where a model gave one, or else its distance."""
    shown = []
    for one in tags:
        figure = "" if one.distance is None else f" {one.distance:.2f}"
        said = getattr(one, "origin", "model") == "person"
        shown.append(one.tag + ("" if said else shown_score(one.score) or figure))
    return ", ".join(shown)
