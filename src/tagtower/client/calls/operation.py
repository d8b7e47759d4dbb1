"""Recommendations, models, webhooks, feeds, and the server itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from tagtower.client.answers.operation import (
    Comparison,
    Feed,
    Model,
    NewWebhook,
    Readiness,
    Recommendation,
    Switched,
    Webhook,
)
from tagtower.client.answers.tags import Tag
from tagtower.client.calls.uploads import once
from tagtower.client.decoding import answer, nothing, several
from tagtower.client.grouping import AsyncGroup, Group, SyncGroup, call
from tagtower.client.steps import Ask, FilePart, given, unreadable

RECOMMEND = "/v1/recommend"
MODELS = "/v1/models"
FEEDS = "/v1/feeds"
WEBHOOKS = "/v1/webhooks"
MODEL_SECONDS = 300.0
"""The first question may have to wait until the model is opened, and a file until it is decoded."""


class RecommendCalls(Group):
    """Tags for what is not stored."""

    @call
    def words(
        self,
        title: str | None = None,
        *,
        description: str | None = None,
        subtitles: str | None = None,
        top_k: int = 5,
        evidence: bool = False,
    ) -> Ask[Recommendation]:
        """Return the tags that fit a title; with `evidence` what spoke for each."""
        return Ask(
            "POST",
            RECOMMEND,
            answer(Recommendation),
            query={"top_k": top_k, "evidence": evidence},
            json=given(title=title, description=description, subtitles=subtitles),
            repeatable=True,
            seconds=MODEL_SECONDS,
        )

    @call
    def batch(
        self, videos: Sequence[Mapping[str, str | None]], *, top_k: int = 5, evidence: bool = False
    ) -> Ask[tuple[Recommendation, ...]]:
        """Return the tags that fit each of up to 200 videos, told by `title`, `description` and `subtitles`; one that
        cannot be used has an `error`, and stops no other.
        """
        return Ask(
            "POST",
            f"{RECOMMEND}/batch",
            several(Recommendation, "videos"),
            query={"top_k": top_k, "evidence": evidence},
            json={"videos": [dict(one) for one in videos]},
            repeatable=True,
            seconds=MODEL_SECONDS,
        )

    @call
    def file(
        self, path: str | Path, *, title: str | None = None, top_k: int = 5, evidence: bool = False
    ) -> Ask[Recommendation]:
        """Return the tags that fit a file, of which nothing is kept.

        Raises:
            InputError: it cannot be read, or is no video.
        """
        file = Path(path)
        try:
            size = file.stat().st_size
        except OSError as error:
            raise unreadable(file, error) from error
        return Ask(
            "POST",
            f"{RECOMMEND}/file",
            answer(Recommendation),
            query={"title": title, "filename": file.name, "top_k": top_k, "evidence": evidence},
            headers={"Content-Type": "application/octet-stream"},
            body=FilePart(file, 0, size),
            repeatable=True,
            seconds=MODEL_SECONDS,
        )


class Recommend(RecommendCalls, SyncGroup):
    """Tags for what is not stored."""


class AsyncRecommend(RecommendCalls, AsyncGroup):
    """Tags for what is not stored, awaited."""


class ModelCalls(Group):
    """The models of the installation."""

    @call
    def list(self) -> Ask[tuple[Model, ...]]:
        """Return the models in the order of their adding."""
        return Ask("GET", MODELS, several(Model, "models"))

    @call
    def get(self, name: str) -> Ask[Model]:
        """Return one model, and how far it has come."""
        return Ask("GET", f"{MODELS}/{{name}}", answer(Model), {"name": name})

    @call
    def compare(self, first: str, second: str, *, k: int = 10) -> Ask[Comparison]:
        """Hold two models against each other, over the first `k` tags of each video."""
        query = {"first": first, "second": second, "k": k}
        path = f"{MODELS}/compare"
        return Ask("GET", path, answer(Comparison), query=query, seconds=MODEL_SECONDS)

    @call
    def promote(self, name: str, *, force: bool = False) -> Ask[Switched]:
        """Make a model the active one; with `force` also where it has not seen every labelled video."""
        path = f"{MODELS}/{{name}}/promote"
        return Ask("POST", path, answer(Switched), {"name": name}, json={"force": force})

    @call
    def roll_back(self, *, force: bool = False) -> Ask[Switched]:
        """Make the model active again that the active one replaced."""
        return Ask("POST", f"{MODELS}/roll-back", answer(Switched), json={"force": force})

    @call
    def build(self, name: str, *, again: bool = False) -> Ask[Model]:
        """Have the workers build a model beside the active one; with `again` throw away what was built."""
        path = f"{MODELS}/{{name}}/build"
        return Ask("POST", path, answer(Model), {"name": name}, json={"again": again}, repeatable=not again)


class Models(ModelCalls, SyncGroup):
    """The models of the installation."""


class AsyncModels(ModelCalls, AsyncGroup):
    """The models of the installation, awaited."""


class FeedCalls(Group):
    """Where hot topics come from."""

    @call
    def list(self) -> Ask[tuple[Feed, ...]]:
        """Return every feed, when it is polled next, and its last error."""
        return Ask("GET", FEEDS, several(Feed, "feeds"))

    @call
    def add(
        self,
        url: str,
        *,
        kind: Literal["auto", "rss", "json", "csv"] = "auto",
        policy: Literal["quarantine", "approve"] = "quarantine",
        allow_private: bool = False,
        every_seconds: int = 900,
        keep_seconds: int = 172_800,
        key: str | None = None,
    ) -> Ask[Feed]:
        """Add a feed, which the workers poll.

        Args:
            policy: whether its topics wait for a person.
            allow_private: its host may be of a private network.
            keep_seconds: a topic's life after it was last hot.
        """
        body = given(
            url=url,
            kind=kind,
            policy=policy,
            allow_private=allow_private,
            every_seconds=every_seconds,
            keep_seconds=keep_seconds,
        )
        return Ask("POST", FEEDS, answer(Feed), json=body, headers=once(key))

    @call
    def hot(self, *, limit: int = 50) -> Ask[tuple[Tag, ...]]:
        """Return the hottest tags, the hottest first, quarantined ones too."""
        return Ask("GET", f"{FEEDS}/hot", several(Tag, "tags"), query={"limit": limit})

    @call
    def pause(self, feed_id: int) -> Ask[Feed]:
        """Let a feed be polled no more until it is resumed."""
        path = f"{FEEDS}/{{feed_id}}/pause"
        return Ask("POST", path, answer(Feed), {"feed_id": feed_id}, repeatable=True)

    @call
    def resume(self, feed_id: int) -> Ask[Feed]:
        """Let a feed be polled again, at once."""
        path = f"{FEEDS}/{{feed_id}}/resume"
        return Ask("POST", path, answer(Feed), {"feed_id": feed_id}, repeatable=True)

    @call
    def remove(self, feed_id: int) -> Ask[Feed]:
        """Forget a feed; the tags that it brought stay until they expire."""
        return Ask("DELETE", f"{FEEDS}/{{feed_id}}", answer(Feed), {"feed_id": feed_id})


class Feeds(FeedCalls, SyncGroup):
    """Where hot topics come from."""


class AsyncFeeds(FeedCalls, AsyncGroup):
    """Where hot topics come from, awaited."""


class WebhookCalls(Group):
    """Addresses that events are sent to."""

    @call
    def list(self) -> Ask[tuple[Webhook, ...]]:
        """Return every address, how far it has come, and its last error."""
        return Ask("GET", WEBHOOKS, several(Webhook, "webhooks"))

    @call
    def add(
        self,
        url: str,
        *,
        kinds: Sequence[str] = (),
        allow_private: bool = False,
        key: str | None = None,
    ) -> Ask[NewWebhook]:
        """Send events of some kinds (default all) to an address; the secret that signs them is told only now."""
        body = given(url=url, kinds=tuple(kinds), allow_private=allow_private)
        return Ask("POST", WEBHOOKS, answer(NewWebhook), json=body, headers=once(key))

    @call
    def remove(self, webhook_id: int) -> Ask[Webhook]:
        """Send an address nothing any more."""
        path = f"{WEBHOOKS}/{{webhook_id}}"
        return Ask("DELETE", path, answer(Webhook), {"webhook_id": webhook_id})


class Webhooks(WebhookCalls, SyncGroup):
    """Addresses that events are sent to."""


class AsyncWebhooks(WebhookCalls, AsyncGroup):
    """Addresses that events are sent to, awaited."""


class StateCalls(Group):
    """The server itself."""

    @call
    def alive(self) -> Ask[None]:
        """Return if the server answers at all."""
        return Ask("GET", "/healthz", nothing)

    @call
    def ready(self) -> Ask[Readiness]:
        """Return whether the server can work: whether it reaches its database and has a model."""
        return Ask("GET", "/readyz", answer(Readiness), answers=frozenset({503}))


class State(StateCalls, SyncGroup):
    """The server itself."""


class AsyncState(StateCalls, AsyncGroup):
    """The server itself, awaited."""
