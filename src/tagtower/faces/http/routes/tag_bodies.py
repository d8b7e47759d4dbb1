"""The forms of what is said of tags."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from tagtower.faces.http.fields import MOST_NUMBER, PlainText, ShortText
from tagtower.faces.http.schemas import Body

EXAMPLE_TAG: dict[str, Any] = {
    "id": 7,
    "text": "solar eclipse",
    "aliases": ["eclipse of the sun"],
    "description": None,
    "language": "en",
    "state": "active",
    "merged_into": None,
    "origin": "person",
    "created_at": "2030-01-01T12:00:00+00:00",
    "expires_at": None,
    "suggestable": True,
    "threshold": None,
    "groups": ["sky"],
    "version": 17,
    "heat": 0.0,
    "heat_at": None,
}
EXAMPLE_OUTCOME: dict[str, Any] = {
    "kind": "add",
    "summary": "add 'solar eclipse'",
    "version": 17,
    "dry_run": False,
    "changed": True,
    "tags": [{"before": None, "after": EXAMPLE_TAG}],
    "reach": {"suggestions": 0, "verdicts": 0, "videos": 0},
    "sweeps": 1,
}
EXAMPLE_CHANGE: dict[str, Any] = {
    "version": 17,
    "at": "2030-01-01T12:00:00+00:00",
    "author": "maria",
    "kind": "add",
    "summary": "add 'solar eclipse'",
    "undoes": None,
    "undone_by": None,
}

Number = Annotated[int, Field(ge=1, le=MOST_NUMBER)]
Named = Annotated[Number | ShortText, Field(description="A tag by its number, its text or an alias.")]
Some = Annotated[list[Named], Field(min_length=1, max_length=1000, examples=[[7, "eclipse"]])]
Texts = Annotated[list[ShortText], Field(max_length=200, examples=[["eclipse of the sun"]])]
Share = Annotated[float, Field(ge=0, le=1)]


class NewTag(Body):
    """A tag that is to be."""

    text: ShortText = Field(examples=["solar eclipse"])
    aliases: Texts = Field(default_factory=list)
    description: PlainText | None = None
    language: ShortText | None = Field(None, description="BCP 47.", examples=["en"])
    groups: Texts = Field(default_factory=list, examples=[["sky"]])
    expires: AwareDatetime | None = None
    threshold: Share | None = None
    state: Literal["active", "quarantined"] = "active"


class TagToTry(Body):
    """A tag that might be."""

    text: ShortText = Field(examples=["solar eclipse"])
    aliases: Texts = Field(default_factory=list)
    description: PlainText | None = None
    threshold: Share | None = None
    shown: int = Field(10, ge=0, le=100, description="Videos that are named.")


class Rename(Body):
    """Another text."""

    text: ShortText = Field(examples=["total solar eclipse"])
    keep_alias: bool = Field(True, description="Let the old text still lead to it.")


class Aliases(Body):
    """Names that are to lead to a tag, or no longer."""

    add: Texts = Field(default_factory=list)
    remove: Texts = Field(default_factory=list)


class Description(Body):
    """What a tag means; nothing takes away."""

    description: PlainText | None = None
    language: ShortText | None = None


class Expiry(Body):
    """Until when it is suggested; nothing: for good."""

    expires: AwareDatetime | None = None


class Threshold(Body):
    """From which probability on it is suggested; nothing: as the model says."""

    threshold: Share | None = None


class Suggestable(Body):
    """Whether it is ever suggested."""

    suggestable: bool = Field(examples=[False])


class Tags(Body):
    """Tags that something is to be done with, all or none."""

    tags: Some


class Groups(Body):
    """Groups that tags are put into, and taken out of."""

    tags: Some
    add: Texts = Field(default_factory=list, examples=[["sky"]])
    remove: Texts = Field(default_factory=list, examples=[["news"]])


class Merge(Body):
    """Tags that become one with another."""

    sources: Some
    into: Named


class Split(Body):
    """A name that becomes a tag of its own, or a merged tag that comes back."""

    name: Named
    more: Texts = Field(default_factory=list, description="Further aliases that it takes along.")


class Bar(Body):
    """Videos on which a tag is never suggested, or, if `lift`, again."""

    videos: list[Number] = Field(min_length=1, max_length=1000, examples=[[12]])
    lift: bool = False


def reference(named: int | str) -> str:
    """Return a tag as the use cases name it."""
    return f"#{named}" if isinstance(named, int) else named
