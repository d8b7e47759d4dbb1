"""`/v1/feeds`: where hot topics come from, and which are hot."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from tagtower.errors import UsageError
from tagtower.faces.http.auth import ForAdmin, ForEditor, ForTerminal
from tagtower.faces.http.conditions import Answer, IdempotencyKey, Once
from tagtower.faces.http.fields import MOST_NUMBER, ShortText
from tagtower.faces.http.parts import Server
from tagtower.faces.http.routes.tag_bodies import EXAMPLE_TAG
from tagtower.faces.http.schemas import Body, example
from tagtower.library.feeds import FeedKind, Policy
from tagtower.usecases.installation import feeds, topics

router = APIRouter(prefix="/v1/feeds", tags=["feeds"])

FeedId = Annotated[int, Path(ge=1, le=MOST_NUMBER, examples=[1])]
EXAMPLE: dict[str, Any] = {
    "id": 1,
    "url": "https://news.example/rss",
    "kind": "auto",
    "state": "active",
    "policy": "quarantine",
    "allow_private": False,
    "every_seconds": 900,
    "keep_seconds": 172800,
    "polled_at": None,
    "next_at": "2030-01-01T12:00:00+00:00",
    "failures": 0,
    "error": None,
}
YEAR = 365 * 24 * 3600


class NewFeed(Body):
    """A feed that is to be polled."""

    url: ShortText = Field(examples=[EXAMPLE["url"]])
    kind: FeedKind = "auto"
    policy: Policy = Field("quarantine", description="Whether its topics wait for a person.")
    allow_private: bool = Field(False, description="Its host may be this machine or of a private network.")
    every_seconds: int = Field(900, ge=30, le=YEAR)
    keep_seconds: int = Field(172_800, ge=30, le=YEAR, description="A topic's life after it was last hot.")


@router.get("", summary="List feeds", responses=example({"feeds": [EXAMPLE]}))
def list_all(server: Server, principal: ForEditor) -> Any:
    """Returns every feed, when it is polled next, and its last error."""
    return {"feeds": [one.to_json() for one in feeds.list_feeds(server.installation)]}


@router.post("", status_code=201, summary="Add a feed", responses={201: example(EXAMPLE)[200]})
def add(
    server: Server, principal: ForAdmin, request: Request, body: NewFeed, key: IdempotencyKey = None
) -> Response:
    """Adds a feed, which the workers poll: RSS, Atom, JSON or CSV over http or https."""
    if not body.url.startswith(("http://", "https://")):
        raise UsageError("That is no http or https address.", hint="Files are added on the command line.")

    def work() -> Answer:
        made = feeds.add_feed(
            server.installation,
            body.url,
            kind=body.kind,
            policy=body.policy,
            allow_private=body.allow_private,
            every=timedelta(seconds=body.every_seconds),
            keep=timedelta(seconds=body.keep_seconds),
        )
        return Answer(made.to_json(), 201)

    return Once(server, principal, request, key, body.model_dump(mode="json")).run(work)


@router.get("/hot", summary="What is hot", responses=example({"tags": [{**EXAMPLE_TAG, "heat": 3.2}]}))
def hot(server: Server, principal: ForTerminal, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> Any:
    """Returns the hottest tags, the hottest first, quarantined ones too."""
    return {"tags": [one.to_json() for one in topics.hot_tags(server.installation, limit=limit)]}


@router.post("/{feed_id}/pause", summary="Pause a feed", responses=example({**EXAMPLE, "state": "paused"}))
def pause(server: Server, principal: ForAdmin, feed_id: FeedId) -> Any:
    """Lets a feed be polled no more until it is resumed."""
    return feeds.pause_feed(server.installation, f"#{feed_id}").to_json()


@router.post("/{feed_id}/resume", summary="Resume a feed", responses=example(EXAMPLE))
def resume(server: Server, principal: ForAdmin, feed_id: FeedId) -> Any:
    """Lets a feed be polled again, at once; its failures are forgotten."""
    return feeds.resume_feed(server.installation, f"#{feed_id}").to_json()


@router.delete("/{feed_id}", summary="Remove a feed", responses=example(EXAMPLE))
def remove(server: Server, principal: ForAdmin, feed_id: FeedId) -> Any:
    """Forgets a feed; the tags that it brought stay until they expire."""
    return feeds.remove_feed(server.installation, f"#{feed_id}").to_json()
