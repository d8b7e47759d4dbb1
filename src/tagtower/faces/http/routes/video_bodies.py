"""The forms of what is said of videos, and how a video is told."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, Field

from tagtower.faces.http.fields import PlainText, ShortText
from tagtower.faces.http.schemas import Body
from tagtower.usecases.installation.arrivals import Arrival
from tagtower.usecases.installation.find import Found, Shown

EXAMPLE_VIDEO: dict[str, Any] = {
    "id": 12,
    "title": "Total eclipse over the bay",
    "shelf": "labelled",
    "added": "2030-01-01T12:00:00+00:00",
    "shelved": "2030-01-01T12:00:04+00:00",
    "published": None,
    "content_hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "stored": True,
    "bytes": 1048576,
    "facts": {"seconds": 12.0, "width": 1280, "height": 720, "pictures": True, "sound": True},
    "attempts": 0,
    "error": None,
    "tags": [{"tag": "solar eclipse", "id": 7, "origin": "model", "distance": 0.31, "score": 0.92}],
    "links": {
        "self": "/v1/videos/12",
        "media": "/v1/videos/12/media",
        "thumbnail": "/v1/videos/12/thumbnail",
        "strip": "/v1/videos/12/strip",
    },
}
EXAMPLE_SHOWN: dict[str, Any] = {
    **EXAMPLE_VIDEO,
    "description": None,
    "subtitles": None,
    "tags": [{**EXAMPLE_VIDEO["tags"][0], "evidence": {"modality": "image"}}],
    "verdicts": [
        {
            "tag": "solar eclipse",
            "id": 7,
            "verdict": "accept",
            "author": "maria",
            "at": "2030-01-01T12:05:00+00:00",
            "state": "active",
        }
    ],
    "references": [
        {
            "owner": "newsroom",
            "name": "eclipse.mp4",
            "title": "Total eclipse over the bay",
            "added": "2030-01-01T12:00:00+00:00",
        }
    ],
    "model": "9f86d081",
    "library": 17,
}
EXAMPLE_PUT = {"name": "eclipse.mp4", "id": 12, "outcome": "new", "labels": 0, "remarks": []}


class About(Body):
    """What is said of a video that comes in."""

    owner: ShortText | None = Field(
        None, description="Whose name it is; default who asks.", examples=["newsroom"]
    )
    name: ShortText | None = Field(
        None, description="How its owner calls it; default by its content.", examples=["eclipse.mp4"]
    )
    title: PlainText | None = Field(None, examples=["Total eclipse over the bay"])
    description: PlainText | None = None
    subtitles: PlainText | None = None
    published: AwareDatetime | None = None
    filename: ShortText | None = Field(None, description="Tells the format.", examples=["eclipse.mp4"])
    sha256: ShortText | None = Field(
        None, description="Of the file, in hexadecimal; one that does not fit is refused."
    )
    replace: bool = Field(False, description="Take the place of what has the same name.")

    def arrival(self, owner: str) -> Arrival:
        """Return it for the use case; `owner` is who asks."""
        return Arrival(
            owner=owner if self.owner is None else self.owner,
            name=self.name,
            title=self.title,
            description=self.description,
            subtitles=self.subtitles,
            published=self.published,
            filename=self.filename,
            sha256=self.sha256,
            replace=self.replace,
        )


class Reference(About):
    """A video that is known by words alone, or whose media lie where the server can read them."""

    uri: ShortText | None = Field(
        None,
        description="Where the media lie: `http:` or `https:` at a host that the installation names, fetched before "
        "the answer; or `file:` below a folder that the server was told of, left where it is.",
        examples=["https://archive.example/eclipse.mp4"],
    )


class BeginUpload(Body):
    """A file that is about to come."""

    length: int | None = Field(None, ge=1, le=2**53 - 1, description="Bytes.", examples=[1048576])


class Verdict(Body):
    """What a person says of one tag of a video."""

    tag: ShortText | int = Field(description="Text or number.", examples=["solar eclipse"])
    verdict: Literal["accept", "reject", "add", "withdraw"] = Field(examples=["accept"])


class Verdicts(Body):
    """What a person says of tags of a video; all of it is kept, or none."""

    verdicts: list[Verdict] = Field(min_length=1, max_length=200)


def found_json(one: Found) -> dict[str, Any]:
    """Return a video of a list."""
    return _public(one.to_json())


def shown_json(one: Shown) -> dict[str, Any]:
    """Return all that is known of a video."""
    return _public(one.to_json())


def _public(found: dict[str, Any]) -> dict[str, Any]:
    """Leave out where the media lie on the server, and add where they are to be had."""
    has_media = found.pop("media") is not None
    here = f"/v1/videos/{found['id']}"
    facts = found["facts"] or {}
    pictures = has_media and facts.get("pictures") is not False
    return {
        **found,
        "links": {
            "self": here,
            "media": f"{here}/media" if has_media else None,
            "thumbnail": f"{here}/thumbnail" if pictures else None,
            "strip": f"{here}/strip" if pictures else None,
        },
    }
