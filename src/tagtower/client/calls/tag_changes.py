"""Changes of tags that are there: every one can be tried first, and taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from tagtower.client.answers.tags import Outcome
from tagtower.client.decoding import answer
from tagtower.client.grouping import Group, call
from tagtower.client.steps import Ask

TAGS = "/v1/tags"
TAG = "/v1/tags/{tag_id}"
Named: TypeAlias = str | int


def _change(
    method: str,
    path: str,
    body: Mapping[str, Any] | None,
    dry_run: bool,
    etag: str | None,
    tag_id: int | None = None,
) -> Ask[Outcome]:
    return Ask(
        method,
        path,
        answer(Outcome),
        {} if tag_id is None else {"tag_id": tag_id},
        query={"dry_run": True} if dry_run else {},
        json=body,
        headers={} if etag is None else {"If-Match": etag},
        repeatable=dry_run or (method == "PUT" and etag is None),
    )


class TagChangeCalls(Group):
    """Changes of tags. With `dry_run` nothing is changed, and what would be is told. One with `etag`, of a tag as it
    was seen, is refused if the tag is another since.
    """

    @call
    def rename(
        self,
        tag_id: int,
        text: str,
        *,
        keep_alias: bool = True,
        dry_run: bool = False,
        etag: str | None = None,
    ) -> Ask[Outcome]:
        """Give a tag another text; unless `keep_alias` is off, the old one still leads to it."""
        body = {"text": text, "keep_alias": keep_alias}
        return _change("POST", f"{TAG}/rename", body, dry_run, etag, tag_id)

    @call
    def add_aliases(
        self, tag_id: int, aliases: Sequence[str], *, dry_run: bool = False, etag: str | None = None
    ) -> Ask[Outcome]:
        """Let further names lead to a tag."""
        return _change("POST", f"{TAG}/aliases", {"add": list(aliases)}, dry_run, etag, tag_id)

    @call
    def remove_aliases(
        self, tag_id: int, aliases: Sequence[str], *, dry_run: bool = False, etag: str | None = None
    ) -> Ask[Outcome]:
        """Let names lead to a tag no longer."""
        return _change("POST", f"{TAG}/aliases", {"remove": list(aliases)}, dry_run, etag, tag_id)

    @call
    def describe(
        self,
        tag_id: int,
        description: str | None,
        *,
        language: str | None = None,
        dry_run: bool = False,
        etag: str | None = None,
    ) -> Ask[Outcome]:
        """Say what a tag means and in which language it is; None takes away."""
        body = {"description": description, "language": language}
        return _change("PUT", f"{TAG}/description", body, dry_run, etag, tag_id)

    @call
    def expire(
        self, tag_id: int, expires: datetime | None, *, dry_run: bool = False, etag: str | None = None
    ) -> Ask[Outcome]:
        """Let a tag be suggested until a moment, or with None for good."""
        body = {"expires": None if expires is None else expires.isoformat()}
        return _change("PUT", f"{TAG}/expiry", body, dry_run, etag, tag_id)

    @call
    def set_threshold(
        self, tag_id: int, threshold: float | None, *, dry_run: bool = False, etag: str | None = None
    ) -> Ask[Outcome]:
        """Let a tag be suggested from a probability in [0, 1] on, or with None as the model says."""
        return _change("PUT", f"{TAG}/threshold", {"threshold": threshold}, dry_run, etag, tag_id)

    @call
    def set_suggestable(
        self, tag_id: int, suggestable: bool, *, dry_run: bool = False, etag: str | None = None
    ) -> Ask[Outcome]:
        """Let a tag never be suggested, whatever the video, or again."""
        return _change("PUT", f"{TAG}/suggestable", {"suggestable": suggestable}, dry_run, etag, tag_id)

    @call
    def bar(
        self,
        tag_id: int,
        videos: Sequence[int],
        *,
        lift: bool = False,
        dry_run: bool = False,
        etag: str | None = None,
    ) -> Ask[Outcome]:
        """Let a tag never be suggested on some videos, or with `lift` again."""
        return _change("POST", f"{TAG}/bar", {"videos": list(videos), "lift": lift}, dry_run, etag, tag_id)

    @call
    def merge(
        self, sources: Sequence[Named], into: Named, *, dry_run: bool = False, etag: str | None = None
    ) -> Ask[Outcome]:
        """Let tags become one with another; nothing is rewritten, and `split` or `undo` bring everything back."""
        return _change("POST", f"{TAGS}/merge", {"sources": list(sources), "into": into}, dry_run, etag)

    @call
    def split(
        self, name: Named, *, more: Sequence[str] = (), dry_run: bool = False, etag: str | None = None
    ) -> Ask[Outcome]:
        """Make a tag of its own of an alias, with `more` aliases; a merged tag comes back."""
        return _change("POST", f"{TAGS}/split", {"name": name, "more": list(more)}, dry_run, etag)

    @call
    def retire(
        self, tags: Sequence[Named], *, dry_run: bool = False, etag: str | None = None
    ) -> Ask[Outcome]:
        """Suggest tags no more, and show them no more; verdicts are kept."""
        return _change("POST", f"{TAGS}/retire", {"tags": list(tags)}, dry_run, etag)

    @call
    def restore(
        self, tags: Sequence[Named], *, dry_run: bool = False, etag: str | None = None
    ) -> Ask[Outcome]:
        """Make retired tags active again."""
        return _change("POST", f"{TAGS}/restore", {"tags": list(tags)}, dry_run, etag)

    @call
    def approve(
        self, tags: Sequence[Named], *, dry_run: bool = False, etag: str | None = None
    ) -> Ask[Outcome]:
        """Let quarantined tags, such as feeds bring, into the library."""
        return _change("POST", f"{TAGS}/approve", {"tags": list(tags)}, dry_run, etag)

    @call
    def regroup(
        self,
        tags: Sequence[Named],
        *,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
        dry_run: bool = False,
        etag: str | None = None,
    ) -> Ask[Outcome]:
        """Put tags into groups, and take them out of others."""
        body = {"tags": list(tags), "add": list(add), "remove": list(remove)}
        return _change("POST", f"{TAGS}/groups", body, dry_run, etag)

    @call
    def undo(self, version: int, *, dry_run: bool = False) -> Ask[Outcome]:
        """Let what a change touched become as it was; it is a change itself, and can be undone."""
        query = {"dry_run": True} if dry_run else {}
        path = f"{TAGS}/changes/{{version}}/undo"
        return Ask("POST", path, answer(Outcome), {"version": version}, query=query, repeatable=dry_run)
